package authz

import (
	"cmp"
	"slices"

	"github.com/posternhq/postern/gateway/pmap"
)

// level is where a binding holds. The order is that of evaluation.
type level uint8

const (
	global level = iota
	workspace
	namespace
	cluster
)

// place is the name of the workspace or namespace in which b holds, and whether it holds anywhere.
func (b *Binding) place(at level) (string, bool) {
	switch at {
	case workspace:
		return b.Workspace, b.Workspace != ""
	case namespace:
		return b.Namespace, b.Namespace != ""
	}
	return "", true
}

// give has b's subjects hold it. A role of a wrong kind gives nothing.
func (d *Draft) give(at level, b *Binding) { d.each(at, b, insert) }

// take undoes give.
func (d *Draft) take(at level, b *Binding) { d.each(at, b, remove) }

func (d *Draft) each(at level, b *Binding, change func([]*Binding, *Binding) []*Binding) {
	place, holds := b.place(at)
	if _, ok := roleOf(at, b); !ok || !holds {
		return
	}
	for _, s := range b.Subjects {
		switch name := s.user(b); {
		case s.Kind == "Group":
			d.change(&d.next.groups, s.Name, at, place, b, change)
		case name != "":
			d.change(&d.next.users, name, at, place, b, change)
		}
	}
}

// user is the name of the user that a subject is; empty for groups and unknown kinds. A service account without namespace is
// of the binding's.
func (s *Subject) user(b *Binding) string {
	switch s.Kind {
	case "User":
		return s.Name
	case "ServiceAccount":
		if ns := cmp.Or(s.Namespace, b.Namespace); ns != "" {
			return "system:serviceaccount:" + ns + ":" + s.Name
		}
	}
	return ""
}

// change makes the subject called name anew: a holder that readers may have is never touched.
func (d *Draft) change(subjects *pmap.Map[*holder], name string, at level, place string, b *Binding, change func([]*Binding, *Binding) []*Binding) {
	var next holder
	if h, ok := subjects.Get(name); ok {
		next = *h
	}
	old := next.at(at, place)
	var bindings []*Binding
	if old != nil {
		bindings = old.bindings
	}
	changed := change(bindings, b)
	if len(changed) == len(bindings) && (len(changed) == 0 || &changed[0] == &bindings[0]) {
		return // the binding names the same subject twice
	}
	var g *grants
	if len(changed) > 0 {
		g = &grants{d.lists.acquire(at, changed), changed}
	}
	if old != nil {
		d.lists.release(old.roles)
	}
	next.put(d.edit, at, place, g)
	if next.empty() {
		*subjects = subjects.Delete(d.edit, name)
	} else {
		*subjects = subjects.Set(d.edit, name, &next)
	}
}

func (h *holder) at(at level, place string) *grants {
	switch at {
	case global:
		return h.global
	case workspace:
		return in(h.workspaces, place)
	case namespace:
		return in(h.namespaces, place)
	}
	return h.cluster
}

// put has h hold g in a place; nil is nothing.
func (h *holder) put(edit *pmap.Edit, at level, place string, g *grants) {
	switch at {
	case global:
		h.global = g
	case workspace:
		h.workspaces = put(edit, h.workspaces, place, g)
	case namespace:
		h.namespaces = put(edit, h.namespaces, place, g)
	case cluster:
		h.cluster = g
	}
}

func put(edit *pmap.Edit, places pmap.Map[*grants], place string, g *grants) pmap.Map[*grants] {
	if g == nil {
		return places.Delete(edit, place)
	}
	return places.Set(edit, place, g)
}

// insert is bindings with b, sorted by name, so that of several bindings that allow the same the one named is always the
// same. One of the same name stands beside it until it is removed.
func insert(bindings []*Binding, b *Binding) []*Binding {
	i, _ := slices.BinarySearchFunc(bindings, b.Name, func(x *Binding, name string) int { return cmp.Compare(x.Name, name) })
	if slices.Contains(bindings, b) {
		return bindings
	}
	next := make([]*Binding, len(bindings)+1)
	copy(next, bindings[:i])
	next[i] = b
	copy(next[i+1:], bindings[i:])
	return next
}

// remove is bindings without b.
func remove(bindings []*Binding, b *Binding) []*Binding {
	i := slices.Index(bindings, b)
	if i < 0 {
		return bindings
	}
	next := make([]*Binding, 0, len(bindings)-1)
	return append(append(next, bindings[:i]...), bindings[i+1:]...)
}
