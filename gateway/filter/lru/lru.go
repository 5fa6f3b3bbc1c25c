// Package lru is a bounded map for what filters remember: the least recently used entry goes when there is no room.
package lru

import (
	"container/list"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// Cache maps keys to values, at most so many entries and so much weight of them. Its methods may be called from any
// number of goroutines.
type Cache[K comparable, V any] struct {
	seed   maphash.Seed
	shards []shard[K, V]
	n      atomic.Int64
	weight atomic.Int64
}

// shard is a part of the keys behind a lock of its own.
type shard[K comparable, V any] struct {
	mu      sync.Mutex
	byKey   map[K]*list.Element
	recent  list.List // of *entry, the most recently used in front
	weight  int64
	entries int
	most    int64
}

type entry[K comparable, V any] struct {
	key    K
	value  V
	weight int64
}

// New makes a cache of at most entries entries and weight in all; each of the shards has its part of both, and more shards
// mean less waiting for one another.
func New[K comparable, V any](shards, entries int, weight int64) *Cache[K, V] {
	shards = max(1, min(shards, entries))
	c := &Cache[K, V]{seed: maphash.MakeSeed(), shards: make([]shard[K, V], shards)}
	for i := range c.shards {
		s := &c.shards[i]
		s.byKey, s.entries, s.most = map[K]*list.Element{}, entries/shards, weight/int64(shards)
		s.recent.Init()
	}
	return c
}

func (c *Cache[K, V]) shard(key K) *shard[K, V] {
	if len(c.shards) == 1 {
		return &c.shards[0]
	}
	return &c.shards[maphash.Comparable(c.seed, key)%uint64(len(c.shards))]
}

// Get is key's value, which counts as used.
func (c *Cache[K, V]) Get(key K) (value V, ok bool) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.byKey[key]
	if e == nil {
		return value, false
	}
	s.recent.MoveToFront(e)
	return e.Value.(*entry[K, V]).value, true
}

// GetOrAdd is key's value, made by fresh, with no weight, if there is none. It allocates only then.
func (c *Cache[K, V]) GetOrAdd(key K, fresh func() V) V {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[key]; e != nil {
		s.recent.MoveToFront(e)
		return e.Value.(*entry[K, V]).value
	}
	v := fresh()
	c.insert(s, &entry[K, V]{key, v, 0})
	return v
}

// Put makes value key's, and drops the least recently used until there is room. False: it is heavier than a shard may be,
// and key has none now.
func (c *Cache[K, V]) Put(key K, value V, weight int64) bool {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[key]; e != nil {
		c.remove(s, e)
	}
	if weight > s.most {
		return false
	}
	c.insert(s, &entry[K, V]{key, value, weight})
	return true
}

// Delete drops key.
func (c *Cache[K, V]) Delete(key K) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.byKey[key]; e != nil {
		c.remove(s, e)
	}
}

// Each calls f with every value, in no order. f must not use the cache.
func (c *Cache[K, V]) Each(f func(V)) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for e := s.recent.Front(); e != nil; e = e.Next() {
			f(e.Value.(*entry[K, V]).value)
		}
		s.mu.Unlock()
	}
}

// Clear drops all.
func (c *Cache[K, V]) Clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for e := s.recent.Back(); e != nil; e = s.recent.Back() {
			c.remove(s, e)
		}
		s.mu.Unlock()
	}
}

// Len is how many entries the cache holds now.
func (c *Cache[K, V]) Len() int { return int(c.n.Load()) }

// Weight is the sum of the entries' weights.
func (c *Cache[K, V]) Weight() int64 { return c.weight.Load() }

func (c *Cache[K, V]) insert(s *shard[K, V], e *entry[K, V]) {
	for len(s.byKey) > 0 && (len(s.byKey) >= s.entries || s.weight+e.weight > s.most) {
		c.remove(s, s.recent.Back())
	}
	s.byKey[e.key] = s.recent.PushFront(e)
	s.weight += e.weight
	c.n.Add(1)
	c.weight.Add(e.weight)
}

func (c *Cache[K, V]) remove(s *shard[K, V], e *list.Element) {
	old := s.recent.Remove(e).(*entry[K, V])
	delete(s.byKey, old.key)
	s.weight -= old.weight
	c.n.Add(-1)
	c.weight.Add(-old.weight)
}
