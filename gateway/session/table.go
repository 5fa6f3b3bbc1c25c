package session

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

const tableShards = 1024

// table maps ids to what is known of them, for as long as that matters. Readers take no lock: a shard is an immutable map that
// writers replace, which copies some hundred entries. It is bounded by max entries that matter; what is over is dropped when
// its shard is written, and from all shards before the table calls itself full.
type table[V interface{ over(now int64) bool }] struct {
	max    int64
	seed   maphash.Seed
	size   atomic.Int64
	sweep  sync.Mutex
	shards [tableShards]shard[V]
}

type shard[V any] struct {
	mu      sync.Mutex // of writers
	entries atomic.Pointer[map[string]V]
}

func newTable[V interface{ over(now int64) bool }](size int) *table[V] {
	return &table[V]{max: int64(size), seed: maphash.MakeSeed()}
}

func (t *table[V]) shard(id string) *shard[V] {
	return &t.shards[maphash.String(t.seed, id)%tableShards]
}

// get allocates nothing.
func (t *table[V]) get(id string) (v V, ok bool) {
	if t.size.Load() == 0 {
		return v, false
	}
	if m := t.shard(id).entries.Load(); m != nil {
		v, ok = (*m)[id]
	}
	return v, ok
}

// change replaces the entry of id by what f makes of it, unless f says that nothing changes. It is false when the table is
// full, and then f has not been asked: an entry that exists can always be changed.
func (t *table[V]) change(id string, now int64, f func(old V, ok bool) (V, bool)) bool {
	if _, ok := t.get(id); !ok && t.size.Load() >= t.max && !t.makeRoom(now) {
		return false
	}
	s := t.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	var old V
	var known bool
	m := s.entries.Load()
	if m != nil {
		if old, known = (*m)[id]; known && old.over(now) {
			var none V
			old, known = none, false
		}
	}
	v, changed := f(old, known)
	if changed {
		n := t.copied(s, now, 1)
		n[id] = v
		t.replace(s, n)
	}
	return true
}

// copied are the shard's entries that matter at time now, with room for more.
func (t *table[V]) copied(s *shard[V], now int64, more int) map[string]V {
	m := s.entries.Load()
	if m == nil {
		return make(map[string]V, more)
	}
	n := make(map[string]V, len(*m)+more)
	for id, v := range *m {
		if !v.over(now) {
			n[id] = v
		}
	}
	return n
}

// replace makes n the shard's entries. Its writer's lock is held.
func (t *table[V]) replace(s *shard[V], n map[string]V) {
	before := 0
	if m := s.entries.Load(); m != nil {
		before = len(*m)
	}
	s.entries.Store(&n)
	t.size.Add(int64(len(n) - before))
}

// makeRoom drops what is over from all shards, and says whether there is room then.
func (t *table[V]) makeRoom(now int64) bool {
	t.sweep.Lock()
	defer t.sweep.Unlock()
	if t.size.Load() >= t.max {
		t.expire(now)
	}
	return t.size.Load() < t.max
}

// expire drops what is over.
func (t *table[V]) expire(now int64) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		if m := s.entries.Load(); m != nil && anyOver(*m, now) {
			t.replace(s, t.copied(s, now, 0))
		}
		s.mu.Unlock()
	}
}

func anyOver[V interface{ over(now int64) bool }](m map[string]V, now int64) bool {
	for _, v := range m {
		if v.over(now) {
			return true
		}
	}
	return false
}

// each calls f with every entry that matters at time now, until f says false.
func (t *table[V]) each(now int64, f func(id string, v V) bool) {
	for i := range t.shards {
		m := t.shards[i].entries.Load()
		if m == nil {
			continue
		}
		for id, v := range *m {
			if !v.over(now) && !f(id, v) {
				return
			}
		}
	}
}
