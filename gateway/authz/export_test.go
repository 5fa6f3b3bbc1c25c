package authz

// Rest is what a draft holds besides objects and users: it must be nothing when there are none.
func (d *Draft) Rest() int {
	n := len(d.lists.roles) + len(d.lists.wholes) + len(d.lists.byRoles) + len(d.lists.matchers.byKey) + len(d.lists.matchers.numbers)
	for _, r := range d.lists.roles {
		if len(r.lists) == 0 {
			n++
		}
	}
	return n
}
