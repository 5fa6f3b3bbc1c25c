package kube

import (
	"reflect"
	"sync"
)

// store holds the objects of one kind by key. Objects are immutable.
type store[T any] struct {
	mu      sync.Mutex
	items   map[string]*T
	changed func() // called after every real change, without the lock
}

// all is every object, in no order.
func (s *store[T]) all() []*T {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*T, 0, len(s.items))
	for _, v := range s.items {
		all = append(all, v)
	}
	return all
}

// get is one object; nil if there is none.
func (s *store[T]) get(key string) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[key]
}

func (s *store[T]) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

// set stores v. Most updates change nothing that is kept (a user's last login, a namespace's status): they are no change.
func (s *store[T]) set(key string, v *T) {
	s.mu.Lock()
	old := s.items[key]
	same := old != nil && reflect.DeepEqual(old, v)
	if !same {
		s.items[key] = v
	}
	s.mu.Unlock()
	if !same {
		s.changed()
	}
}

func (s *store[T]) remove(key string) {
	s.mu.Lock()
	_, had := s.items[key]
	delete(s.items, key)
	s.mu.Unlock()
	if had {
		s.changed()
	}
}

// replace takes over a whole list. Objects that are the same stay the same, so that what was cached for them stays good.
func (s *store[T]) replace(items map[string]*T) {
	s.mu.Lock()
	for key, v := range items {
		if old := s.items[key]; old != nil && reflect.DeepEqual(old, v) {
			items[key] = old
		}
	}
	s.items = items
	s.mu.Unlock()
	s.changed()
}
