package kube

import "github.com/posternhq/postern/gateway/authz"

// RoleRules are the rules by which a role is decided: a GlobalRole, WorkspaceRole, ClusterRole or, with a namespace, a Role.
// Those of the roles that it aggregates are among them. False: there is no such role, or it has not been read yet.
func (p *Stores) RoleRules(kind, namespace, name string) ([]authz.Rule, bool) {
	k := key{Name: name}
	switch kind {
	case "GlobalRole":
		return p.rules.GlobalRoles().Rules(k)
	case "WorkspaceRole":
		return p.rules.WorkspaceRoles().Rules(k)
	case "ClusterRole":
		return p.rules.ClusterRoles().Rules(k)
	case "Role":
		k.Namespace = namespace
		return p.rules.Roles().Rules(k)
	}
	return nil, false
}
