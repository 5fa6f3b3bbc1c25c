package kube

import (
	"reflect"
	"sync"

	"github.com/posternhq/postern/gateway/authz"
)

// key names an object of a kind.
type key = authz.Key

// store takes over the objects of one kind, which are immutable.
type store[T any] interface {
	set(k key, v *T)
	remove(k key)
	keys() []key
	len() int
}

// kept is a store that holds its objects.
type kept[T any] struct {
	mu      sync.Mutex
	items   map[key]*T
	changed func() // called after every real change, without the lock
}

func keep[T any](changed func()) *kept[T] { return &kept[T]{items: map[key]*T{}, changed: changed} }

// all is every object, in no order.
func (s *kept[T]) all() []*T {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*T, 0, len(s.items))
	for _, v := range s.items {
		all = append(all, v)
	}
	return all
}

func (s *kept[T]) keys() []key {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]key, 0, len(s.items))
	for k := range s.items {
		all = append(all, k)
	}
	return all
}

func (s *kept[T]) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.items)
}

// set stores v. Most updates change nothing that is kept (a namespace's status): they are no change.
func (s *kept[T]) set(k key, v *T) {
	s.mu.Lock()
	old := s.items[k]
	same := old != nil && reflect.DeepEqual(old, v)
	if !same {
		s.items[k] = v
	}
	s.mu.Unlock()
	if !same {
		s.changed()
	}
}

func (s *kept[T]) remove(k key) {
	s.mu.Lock()
	_, had := s.items[k]
	delete(s.items, k)
	s.mu.Unlock()
	if had {
		s.changed()
	}
}
