package kube

import (
	"reflect"
	"sync"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/pmap"
)

// Stores that put what they are told where it is looked up, and hold nothing else.

type roles struct {
	authz.Roles
	changed func()
}

func (s roles) set(_ key, v *authz.Role) { tell(s.changed, s.Set(v)) }
func (s roles) remove(k key)             { tell(s.changed, s.Delete(k)) }
func (s roles) keys() []key              { return s.Keys() }
func (s roles) len() int                 { return s.Len() }

type bindings struct {
	authz.Bindings
	changed func()
}

func (s bindings) set(_ key, v *authz.Binding) { tell(s.changed, s.Set(v)) }
func (s bindings) remove(k key)                { tell(s.changed, s.Delete(k)) }
func (s bindings) keys() []key                 { return s.Keys() }
func (s bindings) len() int                    { return s.Len() }

func tell(changed func(), is bool) {
	if is {
		changed()
	}
}

// space is a namespace and the workspace it is in.
type space struct{ name, workspace string }

// spaces keeps the names of all namespaces, and tells the draft in which workspaces they are.
type spaces struct {
	*kept[space]
	draft *authz.Draft
}

func (s spaces) set(k key, v *space) {
	s.draft.SetWorkspace(v.name, v.workspace)
	s.kept.set(k, v)
}

func (s spaces) remove(k key) {
	s.draft.SetWorkspace(k.Name, "")
	s.kept.remove(k)
}

// people makes directories of users.
type people struct {
	changed func()

	mu    sync.Mutex
	draft *account.Directory
	edit  *pmap.Edit
	n     int
	dirty bool
}

func (s *people) set(_ key, v *account.Account) {
	s.mu.Lock()
	old := s.draft.Account(v.Name)
	same := old != nil && reflect.DeepEqual(old, v) // most updates are of what is not kept: a last login
	if !same {
		s.draft, s.dirty = s.draft.With(s.edit, v), true
		if old == nil {
			s.n++
		}
	}
	s.mu.Unlock()
	tell(s.changed, !same)
}

func (s *people) remove(k key) {
	s.mu.Lock()
	had := s.draft.Account(k.Name) != nil
	if had {
		s.draft, s.dirty = s.draft.Without(s.edit, k.Name), true
		s.n--
	}
	s.mu.Unlock()
	tell(s.changed, had)
}

func (s *people) keys() []key {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []key
	for _, name := range s.draft.Names() {
		keys = append(keys, key{Name: name})
	}
	return keys
}

func (s *people) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

// commit is everybody; nil if nobody has changed since the last one.
func (s *people) commit() *account.Directory {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.dirty {
		return nil
	}
	s.dirty, s.edit = false, new(pmap.Edit)
	return s.draft
}
