package authz_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

// upstream decides as ks-apiserver does, by reading every binding, and leaves its hole out: a workspace without name is no
// workspace, and that of a path is not one of a namespace that is not labelled with it.
func upstream(o *authz.Objects, u *exchange.User, info *exchange.RequestInfo) bool {
	allows := func(bindings []*authz.Binding, kinds string, in func(*authz.Binding) bool) bool {
		return slices.ContainsFunc(bindings, func(b *authz.Binding) bool {
			return in(b) && slices.Contains(strings.Fields(kinds), b.RoleKind) && applies(b, u) && roleAllows(o, b, info)
		})
	}
	everywhere := func(*authz.Binding) bool { return true }
	if allows(o.GlobalRoleBindings, "GlobalRole", everywhere) {
		return true
	}
	if info.Scope == exchange.ScopeGlobal {
		return false
	}
	workspace, namespace := "", ""
	switch info.Scope {
	case exchange.ScopeWorkspace:
		workspace = info.Workspace
	case exchange.ScopeNamespace:
		workspace, namespace = o.Workspaces[info.Namespace], info.Namespace
	case exchange.ScopeDevOps:
		workspace, namespace = o.Workspaces[info.DevOps], info.DevOps
	}
	if workspace != "" && allows(o.WorkspaceRoleBindings, "WorkspaceRole", func(b *authz.Binding) bool { return b.Workspace == workspace }) {
		return true
	}
	if namespace != "" && allows(o.RoleBindings, "Role ClusterRole", func(b *authz.Binding) bool { return b.Namespace == namespace }) {
		return true
	}
	return allows(o.ClusterRoleBindings, "ClusterRole", everywhere)
}

// applies says whether a binding is for the user.
func applies(b *authz.Binding, u *exchange.User) bool {
	return slices.ContainsFunc(b.Subjects, func(s authz.Subject) bool {
		switch s.Kind {
		case "User":
			return s.Name == u.Name
		case "Group":
			return slices.Contains(u.Groups, s.Name)
		case "ServiceAccount":
			ns := s.Namespace
			if ns == "" {
				ns = b.Namespace
			}
			return ns != "" && u.Name == "system:serviceaccount:"+ns+":"+s.Name
		}
		return false
	})
}

// roleAllows reads the role that b names, and those that it aggregates.
func roleAllows(o *authz.Objects, b *authz.Binding, info *exchange.RequestInfo) bool {
	roles, namespace := map[string][]*authz.Role{"GlobalRole": o.GlobalRoles, "WorkspaceRole": o.WorkspaceRoles, "ClusterRole": o.ClusterRoles, "Role": o.Roles}[b.RoleKind], ""
	if b.RoleKind == "Role" {
		namespace = b.Namespace
	}
	find := func(name string) *authz.Role {
		i := slices.IndexFunc(roles, func(r *authz.Role) bool { return r.Namespace == namespace && r.Name == name })
		if i < 0 {
			return &authz.Role{}
		}
		return roles[i]
	}
	whole := find(b.Role)
	rules := whole.Rules.List()
	for _, part := range whole.Aggregates {
		rules = append(rules, find(part).Rules.List()...)
	}
	return slices.ContainsFunc(rules, func(r authz.Rule) bool { return ruleAllows(&r, info) })
}

// ruleAllows holds one rule against a request, as Kubernetes' RBAC says it.
func ruleAllows(r *authz.Rule, info *exchange.RequestInfo) bool {
	has := func(list []string, value string) bool {
		return slices.Contains(list, "*") || slices.Contains(list, value)
	}
	if !has(r.Verbs, info.Verb) {
		return false
	}
	if !info.IsResourceRequest {
		return slices.ContainsFunc(r.NonResourceURLs, func(url string) bool {
			return url == "*" || url == info.Path || strings.HasSuffix(url, "*") && strings.HasPrefix(info.Path, strings.TrimRight(url, "*"))
		})
	}
	asked, anySub := info.Resource, "none"
	if info.Subresource != "" {
		asked, anySub = info.Resource+"/"+info.Subresource, "*/"+info.Subresource
	}
	return has(r.APIGroups, info.APIGroup) && (has(r.Resources, asked) || slices.Contains(r.Resources, anySub)) &&
		(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, info.Name))
}

// dice draws policies and requests from alphabets that are small, so that they meet often.
type dice struct{ *rand.Rand }

func (d dice) of(from ...string) string { return from[d.IntN(len(from))] }

func (d dice) some(n int, from ...string) (list []string) {
	for range d.IntN(n + 1) {
		list = append(list, d.of(from...))
	}
	return list
}

// most is one to n, now and then none.
func (d dice) most(n int, from ...string) []string {
	if d.IntN(20) == 0 {
		return nil
	}
	return append(d.some(n-1, from...), d.of(from...))
}

func (d dice) rules() authz.Rules {
	var rules []authz.Rule
	for range 1 + d.IntN(4) {
		r := authz.Rule{Verbs: d.most(3, "get", "list", "delete", "*")}
		if d.IntN(4) == 0 {
			r.NonResourceURLs = d.most(3, "/", "/api", "/api/*", "/apis*", "*", "/a**", "/*/v1")
		} else {
			r.APIGroups, r.Resources = d.most(2, "", "apps", "*"), d.most(3, "pods", "pods/log", "*", "*/log", "jobs", "jobs/scale", "*/*", "pods/*")
			if d.IntN(3) == 0 {
				r.ResourceNames = d.some(2, "a", "b", "*")
			}
		}
		rules = append(rules, r)
	}
	return authz.NewRules(rules)
}

func (d dice) role(namespace string) *authz.Role {
	return &authz.Role{Namespace: namespace, Name: d.of("r1", "r2", "r3"), Rules: d.rules(), Aggregates: d.some(1, "r1", "r2", "r3", "gone"), Policy: d.IntN(9) == 0}
}

func (d dice) binding(kind string, namespace string) *authz.Binding {
	b := &authz.Binding{Namespace: namespace, Name: d.of("b1", "b2", "b3", "b4"), RoleKind: kind, Role: d.of("r1", "r2", "r3", "gone")}
	if kind == "WorkspaceRole" {
		b.Workspace = d.of("", "w1", "w2")
	}
	if d.IntN(8) == 0 {
		b.RoleKind = d.of("Role", "ClusterRole", "GlobalRole", "WorkspaceRole", "Other")
	}
	for range 1 + d.IntN(4) {
		b.Subjects = append(b.Subjects, authz.Subject{Kind: d.of("User", "User", "Group", "ServiceAccount", "Other"), Namespace: d.of("", "n1", "n2"), Name: d.of("u1", "u2", "g1", "g2", "system:serviceaccount:n1:u1")})
	}
	return b
}

func (d dice) user() *exchange.User {
	return &exchange.User{Name: d.of("u1", "u2", "g1", "system:serviceaccount:n1:u1", "system:serviceaccount:n2:u2"), Groups: d.some(3, "g1", "g2", "u1")}
}

func (d dice) request() exchange.RequestInfo {
	info := exchange.RequestInfo{Verb: d.of("get", "list", "delete", "watch"), Path: d.of("/", "/api", "/api/v1", "/apis", "/apis/v1", "/b/v1")}
	if d.IntN(5) == 0 {
		return info
	}
	info.IsResourceRequest, info.APIGroup, info.Resource = true, d.of("", "apps", "x"), d.of("pods", "jobs", "nodes")
	info.Subresource, info.Name = d.of("", "", "log", "scale"), d.of("", "a", "b", "c")
	info.Workspace, info.Namespace, info.DevOps = d.of("", "w1", "w2", "w3"), d.of("", "n1", "n2", "n3", "n4"), d.of("", "n1", "n2", "n3")
	info.Scope = exchange.Scope(d.IntN(5))
	return info
}

// platform is objects with names that are used once.
func (d dice) platform() authz.Objects {
	c := changes{dice: d, have: newHave()}
	for range 20 + d.IntN(60) {
		c.random(authz.NewDraft())
	}
	return c.have.objects()
}

func TestDecidesAsUpstreamWithoutItsHole(t *testing.T) {
	allowed, denied := 0, 0
	for seed := range uint64(2000) {
		d := dice{rand.New(rand.NewPCG(seed, 4))}
		o := d.platform()
		z := authz.NewAuthorizer("", fixed{index: authz.Build(o)})
		for range 20 {
			u, info := d.user(), d.request()
			want := upstream(&o, u, &info)
			got := z.Authorize(u, &info)
			if got.Allowed != want {
				t.Fatalf("seed %d: we say %+v, upstream %v\n%+v\n%+v\n%s", seed, got, want, u, info, dump(&o))
			}
			if want {
				allowed++
			} else {
				denied++
			}
		}
	}
	if allowed < 2000 || denied < 2000 {
		t.Errorf("%d allowed, %d denied: too one-sided to say much", allowed, denied)
	}
}

func dump(o *authz.Objects) string {
	var b strings.Builder
	for kind, roles := range map[string][]*authz.Role{"GlobalRole": o.GlobalRoles, "WorkspaceRole": o.WorkspaceRoles, "ClusterRole": o.ClusterRoles, "Role": o.Roles} {
		for _, r := range roles {
			fmt.Fprintf(&b, "%s %s/%s %v + %v\n", kind, r.Namespace, r.Name, r.Rules.List(), r.Aggregates)
		}
	}
	for _, all := range [][]*authz.Binding{o.GlobalRoleBindings, o.WorkspaceRoleBindings, o.RoleBindings, o.ClusterRoleBindings} {
		for _, binding := range all {
			fmt.Fprintf(&b, "%+v\n", *binding)
		}
	}
	fmt.Fprintln(&b, o.Workspaces)
	return b.String()
}
