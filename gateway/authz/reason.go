package authz

import (
	"slices"
	"strconv"

	"github.com/posternhq/postern/gateway/exchange"
)

var _ exchange.Grant = (*Binding)(nil)

// Why names binding, role and subject: of b, which allows user something.
func (b *Binding) Why(user *exchange.User) string {
	s := append(make([]byte, 0, 160), "RBAC: allowed by "...)
	s = b.appendName(s)
	s = append(append(append(s, " of "...), b.RoleKind...), ' ')
	s = strconv.AppendQuote(s, b.Role)
	for i := range b.Subjects {
		if sub := &b.Subjects[i]; sub.is(user, b) {
			s = append(append(append(s, " to "...), sub.Kind...), ' ')
			return string(strconv.AppendQuote(s, qualified(sub.Namespace, sub.Name)))
		}
	}
	return string(s)
}

// appendName appends b's kind and name, and of a WorkspaceRoleBinding the workspace.
func (b *Binding) appendName(s []byte) []byte {
	at := b.level()
	s = append(append(s, bindingKinds[at]...), ' ')
	s = strconv.AppendQuote(s, qualified(b.Namespace, b.Name))
	if at == workspace {
		s = strconv.AppendQuote(append(s, " in workspace "...), b.Workspace)
	}
	return s
}

// level of a binding that is in an index, which has none with a role of a wrong kind.
func (b *Binding) level() level {
	switch {
	case b.RoleKind == roleKinds[globalRole]:
		return global
	case b.RoleKind == roleKinds[workspaceRole]:
		return workspace
	case b.Namespace != "":
		return namespace
	}
	return cluster
}

// is says whether s, a subject of b, is the user or one of the user's groups.
func (s *Subject) is(user *exchange.User, b *Binding) bool {
	if s.Kind == "Group" {
		return slices.Contains(user.Groups, s.Name)
	}
	name := s.user(b)
	return name != "" && name == user.Name
}

func qualified(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
