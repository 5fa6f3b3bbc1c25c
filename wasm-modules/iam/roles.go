package main

import (
	"encoding/json"
	"strings"

	"github.com/posternhq/postern/hostabi/guest"
)

// aggregateTo asks for the roles that one role takes its rules from.
const aggregateTo = "aggregateTo"

func listRoles(l *level) func(*call) error {
	return func(c *call) error {
		p, err := c.place(l)
		if err != nil {
			return err
		}
		listing := guest.Listing{Object: p.list(l.roles), Known: []string{aggregateTo}}
		if listing.From, err = c.templates(p); err != nil {
			return err
		}
		if name := c.r.Query().Get(aggregateTo); name != "" {
			role, err := c.at(p, l.roles, name)
			if err != nil && !isNotFound(err) {
				return err
			}
			if listing.Only, err = c.r.Names(aggregates(role)); err != nil {
				return err
			}
		}
		return c.page(listing)
	}
}

// templates are the roles of a workspace and those of none, if the query asks for templates by label or by the role that
// aggregates them; else there is nothing in it. Those of other workspaces are not shown to anybody here.
func (c *call) templates(p place) (guest.Data, error) {
	q := c.r.Query()
	asked := q.Has(aggregateTo) || strings.Contains(q.Get("labelSelector"), templateLabel) || strings.Contains(q.Get("label"), templateLabel)
	if p.level != workspace || !asked {
		return guest.Data{}, nil
	}
	none := p.roles.named("", "")
	none.LabelSelector = "!" + workspaceLabel
	shared, err := c.r.Page(guest.Listing{Object: none, Unasked: true})
	if err != nil {
		return guest.Data{}, err
	}
	own, err := c.r.Page(guest.Listing{Object: p.list(p.roles), Unasked: true})
	if err != nil {
		return guest.Data{}, err
	}
	return own.Transform(`[{"get":"/items"},{"concat":[{"doc":` + number(shared.Data) + `,"do":[{"get":"/items"}]}]}]`)
}

func getRole(l *level) func(*call) error {
	return func(c *call) error {
		p, err := c.place(l)
		if err != nil {
			return err
		}
		role, err := c.at(p, l.roles, c.r.PathValue(l.role))
		if err != nil {
			return err
		}
		return c.answer(role)
	}
}

func createRole(l *level) func(*call) error {
	return func(c *call) error {
		role, err := c.bodyObject()
		if err != nil {
			return err
		}
		p, err := c.place(l)
		if err != nil {
			return err
		}
		if err := c.exists(p); err != nil {
			return err
		}
		if role.name() == "" && role.text("metadata", "generateName") == "" {
			return guest.Fail(400, "metadata.name is missing")
		}
		if err := c.checkRoleAt(p, nil, role); err != nil {
			return err
		}
		made, err := c.create(l.roles, role)
		if err != nil {
			return err
		}
		return c.answer(made)
	}
}

// putRole replaces a role.
func putRole(l *level) func(*call) error {
	return changeRole(l, func(_, body object) object { return body })
}

// patchRole merges into a role (RFC 7396).
func patchRole(l *level) func(*call) error {
	return changeRole(l, func(old, body object) object { return merge(old, body) })
}

func changeRole(l *level, change func(old, body object) object) func(*call) error {
	return func(c *call) error {
		body, err := c.bodyObject()
		if err != nil {
			return err
		}
		p, err := c.place(l)
		if err != nil {
			return err
		}
		old, err := c.at(p, l.roles, c.r.PathValue(l.role))
		if err != nil {
			return err
		}
		role := change(old, body)
		if err := role.named(old.name()); err != nil {
			return err
		}
		if err := c.checkRoleAt(p, old, role); err != nil {
			return err
		}
		done, err := c.update(l.roles, old, role)
		if err != nil {
			return err
		}
		return c.answer(done)
	}
}

// checkRoleAt is an error unless the caller may make role of old, which is nil for a new one, at p. It computes the rules of
// a role that aggregates others.
func (c *call) checkRoleAt(p place, old, role object) error {
	if err := p.claim(role); err != nil {
		return err
	}
	if role.annotation(aggregationNote) != "" {
		if err := c.aggregate(p, role); err != nil {
			return err
		}
	}
	if err := checkRules(role.at("rules")); err != nil {
		return err
	}
	return c.writable(p, p.roles, old, role)
}

// aggregate makes the rules of a role those of the roles that its annotation names, as they are now. What it may not name
// is taken out of the annotation, by which the gateway goes: a WorkspaceRole takes from its own workspace and from
// templates, which are in none; and a name that nobody has yet may be anything tomorrow.
func (c *call) aggregate(p place, role object) error {
	var names []string
	if err := decode([]byte(role.annotation(aggregationNote)), &names); err != nil {
		return guest.Fail(400, "annotation "+aggregationNote+" is no JSON list of names")
	}
	found, left, err := c.parts(p.roles, role)
	if err != nil {
		return err
	}
	rules, kept := []any{}, []string{}
	for _, other := range found {
		if p.level == workspace && other.label(workspaceLabel) != "" && !p.has(other) {
			left = append(left, other.name())
			continue
		}
		more, _ := other.at("rules").([]any)
		rules, kept = append(rules, more...), append(kept, other.name())
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return err
	}
	role["rules"] = rules
	role.set(string(text), "metadata", "annotations", aggregationNote)
	if len(left) > 0 {
		return c.warn("left out of " + aggregationNote + ", since they are not there: " + strings.Join(left, ", "))
	}
	return nil
}

func deleteRole(l *level) func(*call) error {
	return func(c *call) error {
		p, err := c.place(l)
		if err != nil {
			return err
		}
		role, err := c.at(p, l.roles, c.r.PathValue(l.role))
		if err != nil {
			return err
		}
		if err := c.remove(l.roles, role); err != nil {
			return err
		}
		return c.success()
	}
}
