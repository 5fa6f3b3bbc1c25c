package main

// listMemberRoles shows, as a plain array, the roles that a user has at a level, by name or by group, followed by those that
// they take their rules from: the console reads what a user may see off the latter.
func listMemberRoles(l *level) func(*call) error {
	return func(c *call) error {
		p, err := c.place(l)
		if err != nil {
			return err
		}
		user, err := c.get(users, "", c.r.PathValue(l.member))
		if err != nil {
			return err
		}
		bindings, err := c.bindings(p, "User", user.name())
		if err != nil {
			return err
		}
		for _, group := range append(user.texts("spec", "groups"), "system:authenticated") {
			more, err := c.bindings(p, "Group", group)
			if err != nil {
				return err
			}
			bindings = append(bindings, more...)
		}
		return c.answerRoles(l, bindings)
	}
}

// answerRoles answers with the roles of bindings, each once.
func (c *call) answerRoles(l *level, bindings []object) error {
	text, seen := []byte{'['}, map[string]bool{}
	add := func(k *kind, role object) {
		if key := k.name + "/" + role.name(); !seen[key] {
			seen[key] = true
			if len(text) > 1 {
				text = append(text, ',')
			}
			text = append(text, role.encode()...)
		}
	}
	type template struct {
		kind *kind
		role object
	}
	var templates []template
	for _, b := range bindings {
		k, role, err := c.boundRole(l, b)
		if err != nil {
			return err
		}
		if role == nil {
			continue // it is gone, and the binding gives nothing
		}
		add(k, role)
		aggregated, _, err := c.parts(k, role)
		if err != nil {
			return err
		}
		for _, role := range aggregated {
			templates = append(templates, template{k, role})
		}
	}
	for _, t := range templates {
		add(t.kind, t.role)
	}
	return c.w.JSON(string(append(text, ']')))
}
