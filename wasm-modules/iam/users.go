package main

import (
	"strconv"

	"github.com/posternhq/postern/hostabi/guest"
)

// password is where a user's hash is; nobody gets to see it.
const password = "/spec/password"

// userFilters are the keys of lists of users.
var userFilters = []guest.Filter{
	{Key: "email", How: guest.Exact, Path: "/spec/email"},
	{Key: "ingroup", How: guest.Exact, Path: "/spec/groups"},
	{Key: "notingroup", How: guest.Absent, Path: "/spec/groups"},
}

// number is a document's number, for programs.
func number(d guest.Data) string { return strconv.Itoa(int(d.Handle())) }

func listUsers(c *call) error {
	only, known, err := c.membersAsked()
	if err != nil {
		return err
	}
	page, err := c.r.Page(guest.Listing{
		Object: users.named("", ""), Filters: userFilters, Known: known, Only: only, Drop: []string{password},
	})
	if err != nil {
		return err
	}
	shown, err := page.Transform(`[{"get":"/items"},{"map":"/metadata/name"}]`)
	if err != nil {
		return err
	}
	holders, err := c.holders(platform, "", shown)
	if err != nil {
		return err
	}
	return c.writeUsers(page, global, holders)
}

// writeUsers answers with a page of users, each annotated with the oldest of its roles at the level.
func (c *call) writeUsers(page guest.Page, l *level, holders guest.Data) error {
	if err := c.warning(page.Warning); err != nil {
		return err
	}
	items, err := page.Transform(`[{"get":"/items"},{"join":{"with":{"doc":` + number(holders) + `},"key":"/metadata/name",` +
		`"other":"/u","take":"/r","as":"/metadata/annotations/iam.kubesphere.io~1` + l.role + `"}}]`)
	if err != nil {
		return err
	}
	total, _ := page.Int("/totalItems")
	return c.writeList(items, int(total))
}

// writeList answers with a list.
func (c *call) writeList(items guest.Data, total int) error {
	if err := c.w.JSON(`{"items":`); err != nil {
		return err
	}
	if err := c.w.Splice(items); err != nil {
		return err
	}
	return c.w.WriteString(`,"totalItems":` + strconv.Itoa(total) + `}`)
}

// membersAsked are the names of the users that have a role where the query says, by workspace and workspacerole, namespace
// and role, cluster and clusterrole, globalrole; the zero Data when it says nothing. Who asks must be allowed to see the
// members there. known are the keys.
func (c *call) membersAsked() (names guest.Data, known []string, err error) {
	for _, l := range levels {
		key := map[*level]string{workspace: "workspace", namespace: "namespace", cluster: "cluster"}[l]
		known = append(known, l.role, key)
		where, role := c.r.Query().Get(key), c.r.Query().Get(l.role)
		if where == "" && (l == workspace || l == namespace || role == "") {
			continue
		}
		have, err := c.membersAt(place{l, where}, role)
		if err != nil {
			return names, known, err
		}
		if names != (guest.Data{}) {
			if have, err = have.Transform(`[{"where":{"in":{"doc":` + number(names) + `}}}]`); err != nil {
				return names, known, err
			}
		}
		names = have
	}
	return names, known, nil
}

// membersAt are the names of those who have a role at p, or that role, if the caller may list them.
func (c *call) membersAt(p place, role string) (guest.Data, error) {
	if p.level == cluster {
		p.name = "" // there is this one
	}
	if p.level == workspace && !plain(p.name) {
		return c.r.Names(nil)
	}
	if err := c.r.Demand(guest.Access{Verb: "list", Group: iamGroup, Resource: p.members, Place: p.where()}); err != nil {
		return guest.Data{}, err
	}
	holders, err := c.holders(p, role, guest.Data{})
	if err != nil {
		return guest.Data{}, err
	}
	return namesOf(holders)
}

func getUser(c *call) error {
	name := c.r.PathValue("user")
	user, err := c.get(users, "", name)
	if err != nil {
		return err
	}
	return c.answerUser(user)
}

// answerUser answers with a user, annotated with the platform's role.
func (c *call) answerUser(user object) error {
	role, err := c.roleAt(platform, user.name())
	if err != nil {
		return err
	}
	return c.answer(shownUser(user, global, role))
}

// shownUser is a user as clients see it: without the password, and with the role at a level, if there is one.
func shownUser(user object, l *level, role string) object {
	user = user.clone()
	user.set(nil, "spec", "password")
	if role != "" {
		user.set(role, "metadata", "annotations", l.note())
	}
	return user
}

// roleAt is the user's oldest role at p; "" for none.
func (c *call) roleAt(p place, user string) (string, error) {
	bindings, err := c.bindings(p, "User", user)
	if len(bindings) == 0 {
		return "", err
	}
	return bindings[0].text("roleRef", "name"), err
}

func listLoginRecords(c *call) error {
	user, err := c.get(users, "", c.r.PathValue("user"))
	if err != nil {
		return err
	}
	o := loginRecords.named("", "")
	o.LabelSelector = userLabel + "=" + user.name()
	return c.page(guest.Listing{Object: o})
}

// page answers with a list.
func (c *call) page(l guest.Listing) error {
	page, err := c.r.Page(l)
	if err != nil {
		return err
	}
	if err := c.warning(page.Warning); err != nil {
		return err
	}
	if err := c.w.Header("Content-Type", "application/json"); err != nil {
		return err
	}
	return c.w.Splice(page.Data)
}
