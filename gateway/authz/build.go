package authz

// Objects is everything that is decided by.
type Objects struct {
	GlobalRoles, WorkspaceRoles, ClusterRoles, Roles                             []*Role
	GlobalRoleBindings, WorkspaceRoleBindings, ClusterRoleBindings, RoleBindings []*Binding
	Workspaces                                                                   map[string]string // of every namespace that is in one
}

// Build makes the index of o at once.
func Build(o Objects) *Index {
	d := NewDraft()
	d.Add(o)
	return d.Commit()
}

// Add takes over all of o.
func (d *Draft) Add(o Objects) {
	for namespace, workspace := range o.Workspaces {
		d.SetWorkspace(namespace, workspace)
	}
	add(d.GlobalRoles(), o.GlobalRoles)
	add(d.WorkspaceRoles(), o.WorkspaceRoles)
	add(d.ClusterRoles(), o.ClusterRoles)
	add(d.Roles(), o.Roles)
	add(d.GlobalRoleBindings(), o.GlobalRoleBindings)
	add(d.WorkspaceRoleBindings(), o.WorkspaceRoleBindings)
	add(d.ClusterRoleBindings(), o.ClusterRoleBindings)
	add(d.RoleBindings(), o.RoleBindings)
}

func add[T any](to interface{ Set(T) bool }, all []T) {
	for _, v := range all {
		to.Set(v)
	}
}
