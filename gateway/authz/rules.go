package authz

import (
	"encoding/json"
	"fmt"
	"slices"
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

// List is the rules as the role has them.
func (r Rules) List() []Rule {
	var list []Rule
	if r == (Rules{}) {
		return nil
	}
	if err := json.Unmarshal([]byte(r.text.Value()), &list); err != nil {
		panic(fmt.Sprintf("cannot decode rules of NewRules: %v", err))
	}
	return list
}

// union is all rules of some lists, each once.
func union(lists []Rules) Rules {
	var all list
	for _, r := range lists {
		for _, rule := range r.List() {
			all.once(rule)
		}
	}
	return NewRules(all.all)
}

// Role is a GlobalRole, WorkspaceRole, ClusterRole or, with a namespace, a Role.
type Role struct {
	Namespace, Name string
	Rules           Rules
	// Aggregates are roles of the same kind and namespace whose rules this one has besides its own.
	Aggregates []string
	// Policy says that it has a Rego policy. That is not evaluated, so that it allows nothing.
	Policy bool
}

// Subject is who a binding is for. Kind is User, Group or ServiceAccount; others match nobody.
type Subject struct{ Kind, Namespace, Name string }

// Binding gives a role to subjects. Namespace is a RoleBinding's, Workspace a WorkspaceRoleBinding's.
type Binding struct {
	Namespace, Workspace, Name string
	RoleKind, Role             string
	Subjects                   []Subject
}

// same says whether o, of the same name, says the same.
func (b *Binding) same(o *Binding) bool {
	return b.Workspace == o.Workspace && b.RoleKind == o.RoleKind && b.Role == o.Role && slices.Equal(b.Subjects, o.Subjects)
}
