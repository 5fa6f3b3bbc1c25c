package main

import (
	"slices"

	"github.com/posternhq/postern/hostabi/guest"
)

// listGroups lists the groups of a workspace. They are a tree by their owner references: ownerReference=UID of the query
// asks for those right below a group.
func listGroups(c *call) error { return listBindings(groups)(c) }

func getGroup(c *call) error {
	p, err := c.place(workspace)
	if err != nil {
		return err
	}
	group, err := c.at(p, groups, c.r.PathValue("group"))
	if err != nil {
		return err
	}
	return c.answer(group)
}

func createGroup(c *call) error {
	group, err := c.bodyObject()
	if err != nil {
		return err
	}
	p, err := c.place(workspace)
	if err != nil {
		return err
	}
	if err := c.exists(p); err != nil {
		return err
	}
	all, err := c.groupsOf(p)
	if err != nil {
		return err
	}
	if err := checkGroup(p, all, group); err != nil {
		return err
	}
	// People see what the name was generated from.
	shown := group.text("metadata", "generateName")
	if group.name() == "" && shown == "" {
		return guest.Fail(400, "metadata.generateName is missing")
	}
	for _, other := range all {
		if shown != "" && other.text("metadata", "generateName") == shown {
			return guest.Fail(409, "the workspace has a group "+guest.Quote(shown)+" already")
		}
	}
	made, err := c.create(groups, group)
	if err != nil {
		return err
	}
	return c.answer(made)
}

// groupsOf are all groups of a workspace.
func (c *call) groupsOf(p place) ([]object, error) {
	return c.find(guest.Listing{Object: p.list(groups), Live: true})
}

// checkGroup claims the group for the workspace. The groups above it must be of the same workspace, and not below it.
func checkGroup(p place, all []object, group object) error {
	if err := p.claim(group); err != nil {
		return err
	}
	for _, owner := range owners(group) {
		i := slices.IndexFunc(all, func(o object) bool {
			return o.name() == owner.text("name") && o.text("metadata", "uid") == owner.text("uid")
		})
		if i < 0 {
			return guest.Fail(400, "the workspace has no group "+guest.Quote(owner.text("name"))+" with that uid")
		}
		above := all[i].name()
		if above == group.name() || slices.ContainsFunc(below(all, group), func(o object) bool { return o.name() == above }) {
			return guest.Fail(400, "group "+guest.Quote(above)+" is the group itself or below it")
		}
	}
	return nil
}

// owners are the owner references that name groups.
func owners(group object) []object {
	return slices.DeleteFunc(group.objects("metadata", "ownerReferences"), func(o object) bool { return o.text("kind") != groups.name })
}

// below are the groups under one of them, children before their own children.
func below(all []object, group object) []object {
	found, seen := []object{group}, map[string]bool{group.text("metadata", "uid"): true}
	for i := 0; i < len(found); i++ {
		uid := found[i].text("metadata", "uid")
		for _, o := range all {
			id := o.text("metadata", "uid")
			isChild := slices.ContainsFunc(owners(o), func(ref object) bool { return ref.text("uid") == uid })
			if uid != "" && isChild && !seen[id] {
				seen[id] = true
				found = append(found, o)
			}
		}
	}
	return found[1:]
}

func putGroup(c *call) error {
	return c.changeGroup(func(_, body object) object { return body })
}

// patchGroup merges into a group (RFC 7396).
func patchGroup(c *call) error {
	return c.changeGroup(func(old, body object) object { return merge(old, body) })
}

func (c *call) changeGroup(change func(old, body object) object) error {
	body, err := c.bodyObject()
	if err != nil {
		return err
	}
	p, err := c.place(workspace)
	if err != nil {
		return err
	}
	old, err := c.at(p, groups, c.r.PathValue("group"))
	if err != nil {
		return err
	}
	group := change(old, body)
	if err := group.named(old.name()); err != nil {
		return err
	}
	all, err := c.groupsOf(p)
	if err != nil {
		return err
	}
	group.set(old.text("metadata", "uid"), "metadata", "uid")
	if err := checkGroup(p, all, group); err != nil {
		return err
	}
	done, err := c.update(groups, old, group)
	if err != nil {
		return err
	}
	return c.answer(done)
}

// deleteGroup deletes a group with all below it. What they give goes first: roles that are bound to a name would be the next
// group's of that name.
func deleteGroup(c *call) error {
	p, err := c.place(workspace)
	if err != nil {
		return err
	}
	group, err := c.at(p, groups, c.r.PathValue("group"))
	if err != nil {
		return err
	}
	all, err := c.groupsOf(p)
	if err != nil {
		return err
	}
	tree := append([]object{group}, below(all, group)...)
	slices.Reverse(tree)
	for _, o := range tree {
		if err := c.dissolve(o); err != nil {
			return c.failed(err)
		}
	}
	return c.success()
}

// dissolve deletes a group with its roles and members.
func (c *call) dissolve(group object) error {
	for _, l := range levels {
		bindings, err := c.bindings(place{level: l}, "Group", group.name())
		if err != nil {
			return err
		}
		for _, b := range bindings {
			if err := c.release(l.bindings, b, "Group", group.name()); err != nil {
				return err
			}
		}
	}
	bindings, err := c.bindingsOf(group.name())
	if err != nil {
		return err
	}
	for _, b := range bindings {
		if err := c.unbindGroup(b, nil); err != nil {
			return err
		}
	}
	return c.delete(groups, group)
}
