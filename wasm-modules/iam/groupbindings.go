package main

import (
	"errors"
	"slices"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/guest"
)

// groupMember is a user in a group, as clients send it.
type groupMember struct {
	UserName  string `json:"userName"`
	GroupName string `json:"groupName"`
}

// addGroupBindings puts users into groups of a workspace, all or none. Who is in a group has its roles, so the caller must be
// able to give them.
func addGroupBindings(c *call) error {
	var members []groupMember
	if err := c.body(&members); err != nil {
		return err
	}
	p, err := c.place(workspace)
	if err != nil {
		return err
	}
	if err := c.checkGroupMembers(p, members); err != nil {
		return err
	}
	text := []byte{'['}
	for i, m := range members {
		b, err := c.join(p, m)
		if err != nil {
			return c.failed(err)
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, b.encode()...)
	}
	return c.w.JSON(string(append(text, ']')))
}

func (c *call) checkGroupMembers(p place, members []groupMember) error {
	if len(members) == 0 {
		return guest.Fail(400, "the body has no members")
	}
	if len(members) > mostMembers {
		return guest.Fail(413, "a request may have up to 500 members")
	}
	checked := map[string]bool{}
	for _, m := range members {
		if m.UserName == "" || m.GroupName == "" {
			return guest.Fail(400, "a member needs userName and groupName")
		}
		if _, err := c.get(users, "", m.UserName); err != nil {
			return err
		}
		if checked[m.GroupName] {
			continue
		}
		checked[m.GroupName] = true
		if _, err := c.at(p, groups, m.GroupName); err != nil {
			return err
		}
		if err := c.actFor("Group", m.GroupName); err != nil {
			return err
		}
	}
	return nil
}

// join puts a user into a group: the binding says so to people, spec.groups of the user to the gateway.
func (c *call) join(p place, m groupMember) (object, error) {
	bindings, err := c.bindingsOf(m.GroupName)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(bindings, func(b object) bool { return slices.Contains(b.texts("users"), m.UserName) })
	var b object
	if i >= 0 {
		b = bindings[i]
	} else if b, err = c.createNamed(groupBindings, groupBindingFor(p, m)); err != nil {
		return nil, err
	}
	return b, c.changeGroups(m.UserName, func(groups []string) []string {
		if slices.Contains(groups, m.GroupName) {
			return groups
		}
		return append(groups, m.GroupName)
	})
}

func groupBindingFor(p place, m groupMember) object {
	labels := map[string]any{workspaceLabel: p.name, groupLabel: m.GroupName, userLabel: m.UserName}
	return object{
		"metadata": map[string]any{"name": m.GroupName + "-" + m.UserName, "labels": labels},
		"groupRef": map[string]any{"apiGroup": iamGroup, "kind": groups.name, "name": m.GroupName},
		"users":    []any{m.UserName},
	}
}

// bindingsOf are the group bindings of a group.
func (c *call) bindingsOf(group string) ([]object, error) {
	return c.find(guest.Listing{
		Object: groupBindings.named("", ""), Live: true, Filters: []guest.Filter{{How: guest.Exact, Path: "/groupRef/name", Value: group}},
	})
}

// tries is how often a change is made anew when somebody else has changed the object meanwhile.
const tries = 5

// changeGroups changes the groups of a user. One that is gone has none.
func (c *call) changeGroups(user string, change func(groups []string) []string) error {
	for n := 1; ; n++ {
		old, err := c.get(users, "", user)
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		before := old.texts("spec", "groups")
		after := change(slices.Clone(before))
		if slices.Equal(before, after) {
			return nil
		}
		changed := old.clone()
		list := make([]any, len(after))
		for i, group := range after {
			list[i] = group
		}
		changed.set(list, "spec", "groups")
		if _, err = c.update(users, old, changed); !errors.Is(err, hostabi.Conflict) || n == tries {
			return err
		}
	}
}

// deleteGroupBinding takes its users out of a group, but those whom another binding puts there.
func deleteGroupBinding(c *call) error {
	p, err := c.place(workspace)
	if err != nil {
		return err
	}
	b, err := c.at(p, groupBindings, c.r.PathValue("groupbinding"))
	if err != nil {
		return err
	}
	others, err := c.bindingsOf(b.text("groupRef", "name"))
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(others, func(o object) bool { return o.name() == b.name() })
	if err := c.unbindGroup(b, others); err != nil {
		return c.failed(err)
	}
	return c.success()
}

// unbindGroup deletes a binding of a group. Users of others stay in it.
func (c *call) unbindGroup(b object, others []object) error {
	group := b.text("groupRef", "name")
	for _, user := range b.texts("users") {
		if slices.ContainsFunc(others, func(o object) bool { return slices.Contains(o.texts("users"), user) }) {
			continue
		}
		err := c.changeGroups(user, func(groups []string) []string {
			return slices.DeleteFunc(groups, func(g string) bool { return g == group })
		})
		if err != nil {
			return err
		}
	}
	return c.delete(groupBindings, b)
}
