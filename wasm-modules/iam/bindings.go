package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/posternhq/postern/hostabi"
	"github.com/posternhq/postern/hostabi/guest"
)

// holders are the users that have a role at p, or that role, on the host: an array of {"u": user, "r": role}, oldest binding
// first. of are the users that are asked about, as Names has them; the zero Data is all. Bindings of one user, as this API
// makes them, never enter the module; the others come last.
func (c *call) holders(p place, role string, of guest.Data) (guest.Data, error) {
	asked := guest.Listing{Object: p.list(p.bindings), Query: "ascending=true", Only: of}
	if of != (guest.Data{}) {
		asked.By = "/subjects/name"
	}
	if role != "" {
		asked.Filters = []guest.Filter{{How: guest.Exact, Path: "/roleRef/name", Value: role}}
	}
	page, err := c.r.Page(asked)
	if err != nil {
		return guest.Data{}, err
	}
	defer page.Drop()
	const items = `[{"get":"/items"},`
	single, err := page.Transform(items + `{"where":[{"at":{"length":"/subjects"},"equals":1},{"at":"/subjects/0/kind","equals":"User"}]},` +
		`{"map":{"object":{"u":"/subjects/0/name","r":"/roleRef/name"}}}]`)
	if err != nil {
		return guest.Data{}, err
	}
	shared, err := page.Transform(items + `{"where":{"at":{"length":"/subjects"},"greater":1}},{"map":{"object":{"r":"/roleRef/name","s":"/subjects"}}}]`)
	if err != nil {
		return guest.Data{}, err
	}
	more, err := c.holdersOf(shared)
	if err != nil {
		return guest.Data{}, err
	}
	return single.Transform(`[{"concat":[{"doc":` + number(more) + `}]}]`)
}

// holdersOf takes bindings of several subjects apart.
func (c *call) holdersOf(shared guest.Data) (guest.Data, error) {
	var bindings []struct {
		Role     string                        `json:"r"`
		Subjects []struct{ Kind, Name string } `json:"s"`
	}
	b, err := shared.Bytes()
	if err != nil {
		return guest.Data{}, err
	}
	if err := json.Unmarshal(b, &bindings); err != nil {
		return guest.Data{}, err
	}
	rows := []byte{'['}
	for _, binding := range bindings {
		for _, s := range binding.Subjects {
			if s.Kind != "User" {
				continue
			}
			if len(rows) > 1 {
				rows = append(rows, ',')
			}
			rows = append(rows, `{"u":`+guest.Quote(s.Name)+`,"r":`+guest.Quote(binding.Role)+`}`...)
		}
	}
	return c.r.NewData(append(rows, ']'))
}

// namesOf are the users among holders, each once.
func namesOf(holders guest.Data) (guest.Data, error) {
	return holders.Transform(`[{"map":"/u"},{"distinct":""}]`)
}

// bindings are those at p that name a subject of that kind, oldest first. Without a place's name they are those of all
// places. Those with the label of this API are read as they are now; others, made by hand, out of the cache.
func (c *call) bindings(p place, subject, name string) ([]object, error) {
	everywhere := p.list(p.bindings)
	if p.name == "" {
		everywhere = p.bindings.named("", "")
	}
	filter := []guest.Filter{{How: guest.Exact, Path: "/subjects/name", Value: name}}
	var now []object
	if plain(name) { // what is no label has none
		labelled := everywhere
		labelled.LabelSelector = and(everywhere.LabelSelector, subjectLabel(subject)+"="+name)
		var err error
		if now, err = c.find(guest.Listing{Object: labelled, Live: true, Filters: filter}); err != nil {
			return nil, err
		}
	}
	known, err := c.find(guest.Listing{Object: everywhere, Filters: filter})
	if err != nil {
		return nil, err
	}
	for _, b := range known {
		if b.label(subjectLabel(subject)) != name {
			now = append(now, b)
		}
	}
	return slices.DeleteFunc(now, func(b object) bool {
		return !slices.ContainsFunc(b.objects("subjects"), func(s object) bool { return is(s, subject, name) })
	}), nil
}

// subjectLabel is the label of bindings for one subject.
func subjectLabel(subject string) string {
	if subject == "Group" {
		return groupLabel
	}
	return userLabel
}

func is(subject object, kind, name string) bool {
	return subject.text("kind") == kind && subject.text("name") == name
}

// and joins two label selectors.
func and(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "," + b
}

// placeOf is where a binding of the level gives its role.
func placeOf(l *level, b object) place {
	switch l {
	case workspace:
		return place{l, b.label(workspaceLabel)}
	case namespace:
		return place{l, b.namespace()}
	}
	return place{level: l}
}

// boundRole reads the role that a binding of the level gives. It is nil if there is none, or none of a kind that counts
// there.
func (c *call) boundRole(l *level, binding object) (*kind, object, error) {
	k, where := l.roles, binding.namespace()
	if ref := binding.text("roleRef", "kind"); l == namespace && ref == clusterRoles.name {
		k, where = clusterRoles, ""
	} else if ref != k.name {
		return nil, nil, nil
	}
	role, err := c.get(k, where, binding.text("roleRef", "name"))
	if isNotFound(err) {
		return nil, nil, nil
	}
	return k, role, err
}

// roleOf reads the role that a new binding at p is to give. In a namespace it may be a ClusterRole. A role of another place is not found.
func (c *call) roleOf(p place, binding object) (*kind, object, error) {
	k, name := p.roles, binding.text("roleRef", "name")
	switch ref := binding.text("roleRef", "kind"); {
	case p.level == namespace && ref == clusterRoles.name:
		role, err := c.get(clusterRoles, "", name)
		return clusterRoles, role, err
	case ref != "" && ref != k.name:
		return k, nil, guest.Fail(400, "roleRef.kind is "+guest.Quote(ref)+", it has to be "+k.name)
	}
	role, err := c.at(p, k, name)
	return k, role, err
}

// bindingFor is a new binding of a role at p to a user or a group, named after both.
func (p place) bindingFor(k *kind, role, subject, name string) object {
	o := object{
		"metadata": map[string]any{
			"name":   name + "-" + role,
			"labels": map[string]any{subjectLabel(subject): name},
		},
		"roleRef":  map[string]any{"apiGroup": k.group, "kind": k.name, "name": role},
		"subjects": []any{map[string]any{"apiGroup": rbacGroup, "kind": subject, "name": name}},
	}
	if p.level == workspace {
		o.set(p.name, "metadata", "labels", workspaceLabel)
	}
	if ns := p.namespace(); ns != "" {
		o.set(ns, "metadata", "namespace")
	}
	return o
}

// bind makes a binding.
func (c *call) bind(p place, b object) error {
	_, err := c.createNamed(p.bindings, b)
	return err
}

// createNamed makes an object whose name is made of two others. Those of others may come to the same: then it gets one of
// its own.
func (c *call) createNamed(k *kind, o object) (object, error) {
	made, err := c.create(k, o)
	if !errors.Is(err, hostabi.Conflict) {
		return made, err
	}
	own := o.clone()
	own.set(nil, "metadata", "name")
	own.set(o.name()+"-", "metadata", "generateName")
	return c.create(k, own)
}

// release takes a subject out of a binding, which goes when there is nobody else in it. One of several may have been
// changed by this very request.
func (c *call) release(k *kind, b object, subject, name string) error {
	rest, _ := b.at("subjects").([]any)
	if len(rest) > 1 {
		present, err := c.get(k, b.namespace(), b.name())
		if isNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		b = present
		rest, _ = b.at("subjects").([]any)
	}
	rest = slices.DeleteFunc(slices.Clone(rest), func(v any) bool {
		s, _ := v.(map[string]any)
		return is(s, subject, name)
	})
	if len(rest) == 0 {
		return c.delete(k, b)
	}
	changed := b.clone()
	changed["subjects"] = rest
	if changed.label(subjectLabel(subject)) == name {
		changed.set(nil, "metadata", "labels", subjectLabel(subject))
	}
	_, err := c.update(k, b, changed)
	return err
}

// mostName is how long a name may be that becomes a label.
const mostName = 63

// plain says whether a name can be a label's value, and so part of a selector as it is.
func plain(name string) bool {
	return name != "" && len(name) <= mostName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
	})
}
