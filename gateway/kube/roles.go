package kube

import "github.com/posternhq/postern/gateway/authz"

// RoleRules are the rules by which a role is decided: a GlobalRole, WorkspaceRole, ClusterRole or, with a namespace, a Role.
// False: there is no such role, or it has not been read yet.
func (p *Stores) RoleRules(kind, namespace, name string) ([]authz.Rule, bool) {
	key := name
	for i, of := range [...]string{"GlobalRole", "WorkspaceRole", "ClusterRole", "Role"} {
		if of != kind {
			continue
		}
		if of == "Role" {
			key = namespace + "/" + name
		}
		role := p.roles[i].get(key)
		if role == nil {
			return nil, false
		}
		return role.Rules.List(), true
	}
	return nil, false
}
