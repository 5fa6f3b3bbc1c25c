package main

import (
	"slices"
	"strings"

	"github.com/posternhq/postern/hostabi/guest"
)

// listBindings lists the bindings of a kind that belong to the workspace.
func listBindings(k *kind) func(*call) error {
	return func(c *call) error {
		p, err := c.place(workspace)
		if err != nil {
			return err
		}
		return c.page(guest.Listing{Object: p.list(k)})
	}
}

// listRoleBindings lists the role bindings in all namespaces of a workspace.
func listRoleBindings(c *call) error {
	p, err := c.place(workspace)
	if err != nil {
		return err
	}
	own, err := c.r.Page(guest.Listing{Object: p.list(namespaces), Unasked: true})
	if err != nil {
		return err
	}
	names, err := own.Transform(`[{"get":"/items"},{"map":"/metadata/name"}]`)
	if err != nil {
		return err
	}
	b, err := names.Bytes()
	if err != nil {
		return err
	}
	var in []string
	if err := decode(b, &in); err != nil {
		return err
	}
	all, err := c.inNamespaces(roleBindings, in)
	if err != nil {
		return err
	}
	return c.page(guest.Listing{From: all})
}

// together is how many lists are joined at once, far below what a program may name.
const together = 100

// inNamespaces are the objects of a kind in some namespaces, as an array. Each is asked for by itself: those of all
// namespaces may be more than a request can hold.
func (c *call) inNamespaces(k *kind, names []string) (guest.Data, error) {
	all, err := c.r.NewData([]byte("[]"))
	for chunk := range slices.Chunk(names, together) {
		var sources []string
		for _, name := range chunk {
			page, err := c.r.Page(guest.Listing{Object: k.named(name, ""), Unasked: true})
			if err != nil {
				return all, err
			}
			sources = append(sources, `{"doc":`+number(page.Data)+`,"do":[{"get":"/items"}]}`)
		}
		if all, err = all.Transform(`[{"concat":[` + strings.Join(sources, ",") + `]}]`); err != nil {
			return all, err
		}
	}
	return all, err
}

// addBindings makes several bindings at a level, all or none. Everything is checked first.
func addBindings(l *level) func(*call) error {
	return func(c *call) error {
		var all []object
		if err := c.body(&all); err != nil {
			return err
		}
		p, err := c.place(l)
		if err != nil {
			return err
		}
		if err := c.checkBindings(p, all); err != nil {
			return err
		}
		text := []byte{'['}
		for i, b := range all {
			made, err := c.create(l.bindings, b)
			if err != nil {
				return c.failed(err)
			}
			if i > 0 {
				text = append(text, ',')
			}
			text = append(text, made.encode()...)
		}
		return c.w.JSON(string(append(text, ']')))
	}
}

func (c *call) checkBindings(p place, all []object) error {
	if len(all) == 0 {
		return guest.Fail(400, "the body has no bindings")
	}
	if len(all) > mostMembers {
		return guest.Fail(413, "a request may have up to 500 bindings")
	}
	if err := c.exists(p); err != nil {
		return err
	}
	for _, b := range all {
		if b == nil || !shallow(map[string]any(b), maxDepth) {
			return guest.Fail(400, "the body has something that is no binding")
		}
		if err := p.claim(b); err != nil {
			return err
		}
		if err := c.checkBinding(p, b); err != nil {
			return err
		}
	}
	return nil
}

// checkBinding is an error unless the role is there, the caller may give it, and the users who get it are there. It fills
// in what the client left out.
func (c *call) checkBinding(p place, b object) error {
	subjects := b.objects("subjects")
	if len(subjects) == 0 {
		return guest.Fail(400, "a binding has no subjects")
	}
	k, role, err := c.roleOf(p, b)
	if err != nil {
		return err
	}
	if err := c.grantable(p, k, role); err != nil {
		return err
	}
	for _, s := range subjects {
		if err := c.checkSubject(s); err != nil {
			return err
		}
	}
	b["roleRef"] = map[string]any{"apiGroup": k.group, "kind": k.name, "name": role.name()}
	name := subjects[0].text("name")
	if b.name() == "" && b.text("metadata", "generateName") == "" {
		b.set(name+"-"+role.name()+"-", "metadata", "generateName")
	}
	// Lists and deletions find bindings by label; a label of somebody else would mislead.
	b.set(nil, "metadata", "labels", userLabel)
	b.set(nil, "metadata", "labels", groupLabel)
	if kind := subjects[0].text("kind"); len(subjects) == 1 && kind != "ServiceAccount" && plain(name) {
		b.set(name, "metadata", "labels", subjectLabel(kind))
	}
	return nil
}

// checkSubject is an error unless a subject is one, and if it is a user, is there. Groups may be those of an identity
// provider, which nobody here knows.
func (c *call) checkSubject(s object) error {
	name := s.text("name")
	switch s.text("kind") {
	case "User":
		if _, err := c.get(users, "", name); err != nil {
			return err
		}
	case "Group":
	case "ServiceAccount":
		if s.text("namespace") == "" {
			return guest.Fail(400, "a service account needs its namespace")
		}
		return nil
	default:
		return guest.Fail(400, "a subject's kind is User, Group or ServiceAccount")
	}
	if name == "" {
		return guest.Fail(400, "a subject has no name")
	}
	if s.text("apiGroup") == "" || s.text("apiGroup") == iamGroup {
		s["apiGroup"] = rbacGroup
	}
	return nil
}

// deleteBinding deletes a binding at a level.
func deleteBinding(l *level) func(*call) error {
	return func(c *call) error {
		p, err := c.place(l)
		if err != nil {
			return err
		}
		b, err := c.at(p, l.bindings, c.r.PathValue("rolebinding"))
		if err != nil {
			return err
		}
		if err := c.remove(l.bindings, b); err != nil {
			return err
		}
		return c.success()
	}
}
