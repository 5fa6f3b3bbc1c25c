package authz

import (
	"encoding/json"
	"fmt"
	"unique"
)

// Rule is one rule of a role, as in Kubernetes' RBAC.
type Rule struct {
	Verbs           []string `json:"verbs,omitempty"`
	APIGroups       []string `json:"apiGroups,omitempty"`
	Resources       []string `json:"resources,omitempty"`
	ResourceNames   []string `json:"resourceNames,omitempty"`
	NonResourceURLs []string `json:"nonResourceURLs,omitempty"`
}

// Rules is the list of rules of a role. Roles with the same list share one copy, kept as text: a platform gives every
// namespace the same three or four roles, so thousands of roles cost a few kilobytes. The copy goes with the last role.
type Rules struct{ text unique.Handle[string] }

// NewRules makes the list; nil is a role that allows nothing.
func NewRules(list []Rule) Rules {
	text, err := json.Marshal(list)
	if err != nil {
		panic(fmt.Sprintf("cannot encode rules: %v", err)) // strings alone always encode
	}
	return Rules{unique.Make(string(text))}
}

// list is the rules again.
func (r Rules) list() []Rule {
	var list []Rule
	if r == (Rules{}) {
		return nil
	}
	if err := json.Unmarshal([]byte(r.text.Value()), &list); err != nil {
		panic(fmt.Sprintf("cannot decode rules of NewRules: %v", err))
	}
	return list
}

// Role is a GlobalRole, WorkspaceRole, ClusterRole or, with a namespace, a Role.
type Role struct {
	Namespace, Name string
	Rules           Rules
}

// Subject is who a binding is for. Kind is User, Group or ServiceAccount; others match nobody.
type Subject struct{ Kind, Namespace, Name string }

// Binding gives a role to subjects. Namespace is a RoleBinding's, Workspace a WorkspaceRoleBinding's.
type Binding struct {
	Namespace, Workspace, Name string
	RoleKind, Role             string
	Subjects                   []Subject
}

// List is the rules as the role has them.
func (r Rules) List() []Rule { return r.list() }
