package main

import (
	"github.com/posternhq/postern/hostabi/guest"
)

// member is a user with a role somewhere, as clients send it.
type member struct {
	Username string `json:"username"`
	RoleRef  string `json:"roleRef"`
}

// listMembers lists the users that have a role at a level.
func listMembers(l *level) func(*call) error {
	return func(c *call) error {
		p, err := c.place(l)
		if err != nil {
			return err
		}
		holders, err := c.holders(p, c.r.Query().Get(l.role), guest.Data{})
		if err != nil {
			return err
		}
		names, err := namesOf(holders)
		if err != nil {
			return err
		}
		page, err := c.r.Page(guest.Listing{
			Object: users.named("", ""), Filters: userFilters, Known: []string{l.role}, Only: names, Drop: []string{password},
		})
		if err != nil {
			return err
		}
		return c.writeUsers(page, l, holders)
	}
}

// getMember shows a user that has a role at a level.
func getMember(l *level) func(*call) error {
	return func(c *call) error {
		p, err := c.place(l)
		if err != nil {
			return err
		}
		name := c.r.PathValue(l.member)
		role, err := c.roleAt(p, name)
		if err != nil {
			return err
		}
		if role == "" {
			return noMember(l, name)
		}
		user, err := c.get(users, "", name)
		if err != nil {
			return err
		}
		return c.answer(shownUser(user, l, role))
	}
}

func noMember(l *level, name string) error {
	return guest.Fail(404, l.members+" "+guest.Quote(name)+" not found")
}

// addMembers gives each of several users a role, all or none.
func addMembers(l *level) func(*call) error {
	return func(c *call) error {
		var members []member
		if err := c.body(&members); err != nil {
			return err
		}
		p, err := c.place(l)
		if err != nil {
			return err
		}
		if err := c.setMembers(p, members); err != nil {
			return err
		}
		return c.answerMembers(members)
	}
}

// putMember gives a member another role.
func putMember(l *level) func(*call) error {
	return func(c *call) error {
		var m member
		if err := c.body(&m); err != nil {
			return err
		}
		name := c.r.PathValue(l.member)
		if m.Username != name {
			return guest.Fail(400, "username in the body is "+guest.Quote(m.Username)+", the one in the path "+guest.Quote(name))
		}
		p, err := c.place(l)
		if err != nil {
			return err
		}
		if err := c.setMembers(p, []member{m}); err != nil {
			return err
		}
		return c.w.JSON(m.json())
	}
}

// deleteMember takes away all roles that a user has at a level.
func deleteMember(l *level) func(*call) error {
	return func(c *call) error {
		p, err := c.place(l)
		if err != nil {
			return err
		}
		name := c.r.PathValue(l.member)
		bindings, err := c.bindings(p, "User", name)
		if err != nil {
			return err
		}
		if len(bindings) == 0 {
			return noMember(l, name)
		}
		for _, b := range bindings {
			if err := c.release(l.bindings, b, "User", name); err != nil {
				return c.failed(err)
			}
		}
		return c.success()
	}
}

func (m *member) json() string {
	return `{"username":` + guest.Quote(m.Username) + `,"roleRef":` + guest.Quote(m.RoleRef) + `}`
}

func (c *call) answerMembers(members []member) error {
	text := "["
	for i := range members {
		if i > 0 {
			text += ","
		}
		text += members[i].json()
	}
	return c.w.JSON(text + "]")
}

// mostMembers bounds what one request may write.
const mostMembers = 500

// setMembers makes each user's role at p the one that is given, and no other. Everything is checked before anything is
// written: users and roles are there, and the caller may give those roles.
func (c *call) setMembers(p place, members []member) error {
	if len(members) == 0 {
		return guest.Fail(400, "the body has no members")
	}
	if len(members) > mostMembers {
		return guest.Fail(413, "a request may have up to 500 members")
	}
	if err := c.checkMembers(p, members); err != nil {
		return err
	}
	return c.setRoles(p, members)
}

func (c *call) checkMembers(p place, members []member) error {
	if err := c.exists(p); err != nil {
		return err
	}
	given, checked := map[string]bool{}, map[string]bool{}
	for i := range members {
		m := &members[i]
		if m.Username == "" || m.RoleRef == "" {
			return guest.Fail(400, "a member needs username and roleRef")
		}
		if given[m.Username] {
			return guest.Fail(400, "user "+guest.Quote(m.Username)+" is there twice")
		}
		given[m.Username] = true
		if _, err := c.get(users, "", m.Username); err != nil {
			return err
		}
		if checked[m.RoleRef] {
			continue
		}
		checked[m.RoleRef] = true
		if err := c.mayGive(p, m.RoleRef); err != nil {
			return err
		}
	}
	return nil
}

// mayGive is an error unless the role is there and the caller may give it.
func (c *call) mayGive(p place, role string) error {
	o, err := c.at(p, p.roles, role)
	if err != nil {
		return err
	}
	return c.grantable(p, p.roles, o)
}

// setRoles makes each role the only one that its user has at p by a binding. New roles come first, old ones go when all are
// there. What was written goes back when something fails.
func (c *call) setRoles(p place, members []member) error {
	old := make([][]object, len(members))
	for i, m := range members {
		var err error
		if old[i], err = c.bindOnce(p, m); err != nil {
			return c.failed(err)
		}
	}
	for i, m := range members {
		for _, b := range old[i] {
			if err := c.release(p.bindings, b, "User", m.Username); err != nil {
				return c.failed(err)
			}
		}
	}
	return nil
}

// bindOnce gives a user a role at p unless the user has it, and returns the bindings that give other roles.
func (c *call) bindOnce(p place, m member) (others []object, err error) {
	bindings, err := c.bindings(p, "User", m.Username)
	if err != nil {
		return nil, err
	}
	for _, b := range bindings {
		if b.text("roleRef", "name") != m.RoleRef || b.text("roleRef", "kind") != p.roles.name {
			others = append(others, b)
		}
	}
	if len(others) < len(bindings) {
		return others, nil
	}
	return others, c.bind(p, p.bindingFor(p.roles, m.RoleRef, "User", m.Username))
}
