package authz_test

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
	"pgregory.net/rapid"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

// Small alphabets, so that rules and requests meet often.
var (
	verbs     = rapid.SampledFrom([]string{"get", "list", "delete", "*", ""})
	groups    = rapid.SampledFrom([]string{"", "apps", "*", "batch"})
	resources = rapid.SampledFrom([]string{"pods", "pods/log", "pods/*", "*", "*/log", "*/scale", "*/*", "jobs", "jobs/log", "pods/log/x", ""})
	names     = rapid.SampledFrom([]string{"a", "b", "*"})
	urls      = rapid.SampledFrom([]string{"/", "/api", "/api/", "/api/*", "/apis*", "*", "/a**", "/api/v1", "**", "/*/v1"})
)

func ruleOf(t *rapid.T) rbacv1.PolicyRule {
	r := rbacv1.PolicyRule{Verbs: rapid.SliceOfN(verbs, 0, 3).Draw(t, "verbs")}
	if rapid.Bool().Draw(t, "nonResource") {
		r.NonResourceURLs = rapid.SliceOfN(urls, 0, 3).Draw(t, "urls")
		return r
	}
	r.APIGroups = rapid.SliceOfN(groups, 0, 3).Draw(t, "groups")
	r.Resources = rapid.SliceOfN(resources, 0, 3).Draw(t, "resources")
	r.ResourceNames = rapid.SliceOfN(names, 0, 2).Draw(t, "names")
	return r
}

// requestOf is the same request for us and, as the smallest rule that would cover it, for Kubernetes.
func requestOf(t *rapid.T) (exchange.RequestInfo, rbacv1.PolicyRule) {
	info := exchange.RequestInfo{Verb: rapid.SampledFrom([]string{"get", "list", "delete", "watch"}).Draw(t, "verb"), Path: "/x"}
	asked := rbacv1.PolicyRule{Verbs: []string{info.Verb}}
	if rapid.Bool().Draw(t, "path") {
		info.Path = rapid.SampledFrom([]string{"/", "/api", "/api/", "/api/v1", "/apis", "/apis/apps", "/a", "/b/v1"}).Draw(t, "url")
		asked.NonResourceURLs = []string{info.Path}
		return info, asked
	}
	info.IsResourceRequest = true
	info.APIGroup = rapid.SampledFrom([]string{"", "apps", "batch", "x"}).Draw(t, "group")
	info.Resource = rapid.SampledFrom([]string{"pods", "jobs", "nodes"}).Draw(t, "resource")
	info.Subresource = rapid.SampledFrom([]string{"", "log", "scale"}).Draw(t, "sub")
	info.Name = rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "name")
	asked.APIGroups, asked.Resources = []string{info.APIGroup}, []string{info.Resource}
	if info.Subresource != "" {
		asked.Resources[0] += "/" + info.Subresource
	}
	if info.Name != "" {
		asked.ResourceNames = []string{info.Name}
	}
	return info, asked
}

func TestRulesMeanWhatKubernetesSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := rapid.SliceOfN(rapid.Custom(ruleOf), 0, 5).Draw(t, "rules")
		info, asked := requestOf(t)
		want, _ := validation.Covers(rules, []rbacv1.PolicyRule{asked})

		z := authz.NewAuthorizer("", fixed{index: authz.Build(authz.Objects{
			ClusterRoles:        []*authz.Role{role("", "r", rulesFrom(rules)...)},
			ClusterRoleBindings: []*authz.Binding{{Name: "b", RoleKind: "ClusterRole", Role: "r", Subjects: []authz.Subject{user("x")}}},
		})})
		if got := z.Authorize(&exchange.User{Name: "x"}, &info); got.Allowed != want {
			t.Fatalf("%+v\nrules %+v\nwe say %v, Kubernetes %v", info, rules, got.Allowed, want)
		}
	})
}

// slow decides as KubeSphere's documentation says it: every binding, one after the other, in the order of evaluation.
func slow(o authz.Objects, u *exchange.User, info *exchange.RequestInfo) bool {
	workspace, ns := "", ""
	switch info.Scope {
	case exchange.ScopeNamespace:
		workspace, ns = o.Workspaces[info.Namespace], info.Namespace
	case exchange.ScopeWorkspace:
		workspace = info.Workspace
	}
	for _, b := range o.GlobalRoleBindings {
		if holds(b, u) && covered(o.GlobalRoles, "", b.Role, info) {
			return true
		}
	}
	if info.Scope == exchange.ScopeGlobal {
		return false
	}
	for _, b := range o.WorkspaceRoleBindings {
		if workspace != "" && b.Workspace == workspace && holds(b, u) && covered(o.WorkspaceRoles, "", b.Role, info) {
			return true
		}
	}
	for _, b := range o.RoleBindings {
		roles, of := o.Roles, ns
		if b.RoleKind == "ClusterRole" {
			roles, of = o.ClusterRoles, ""
		}
		if ns != "" && b.Namespace == ns && holds(b, u) && covered(roles, of, b.Role, info) {
			return true
		}
	}
	for _, b := range o.ClusterRoleBindings {
		if holds(b, u) && covered(o.ClusterRoles, "", b.Role, info) {
			return true
		}
	}
	return false
}

func holds(b *authz.Binding, u *exchange.User) bool {
	for _, s := range b.Subjects {
		if s.Kind == "User" && s.Name == u.Name || s.Kind == "Group" && strings.Contains(" "+strings.Join(u.Groups, " ")+" ", " "+s.Name+" ") {
			return true
		}
	}
	return false
}

// covered knows only what verbRoles makes: roles named after the one verb that they allow on everything.
func covered(roles []*authz.Role, namespace, name string, info *exchange.RequestInfo) bool {
	for _, r := range roles {
		if r.Namespace == namespace && r.Name == name {
			return name == info.Verb
		}
	}
	return false
}

func verbRoles(namespaces ...string) []*authz.Role {
	var all []*authz.Role
	for _, ns := range namespaces {
		for _, verb := range []string{"get", "list", "delete"} {
			all = append(all, role(ns, verb, allow(verb, "*", "*")))
		}
	}
	return all
}

func bindingsOf(t *rapid.T, kind, roleKind string, place func(b *authz.Binding)) []*authz.Binding {
	subject := rapid.SampledFrom([]authz.Subject{user("u1"), user("u2"), group("g1"), user("g1"), {Kind: "ServiceAccount", Name: "u1"}})
	// A name is one binding's alone.
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) *authz.Binding {
		b := &authz.Binding{
			Name: rapid.StringN(1, 3, -1).Draw(t, "name"), RoleKind: roleKind,
			Role:     rapid.SampledFrom([]string{"get", "list", "delete", "gone"}).Draw(t, "role"),
			Subjects: rapid.SliceOfN(subject, 1, 3).Draw(t, "subjects"),
		}
		place(b)
		return b
	}), 0, 4, func(b *authz.Binding) string { return b.Name }).Draw(t, kind)
}

// objectsOf is a small platform of roles that allow one verb each.
func objectsOf(t *rapid.T) authz.Objects {
	workspace := rapid.SampledFrom([]string{"", "w1", "w2"})
	namespace := rapid.SampledFrom([]string{"n1", "n2", "n3"})
	return authz.Objects{
		GlobalRoles: verbRoles(""), WorkspaceRoles: verbRoles(""), ClusterRoles: verbRoles(""), Roles: verbRoles("n1", "n2"),
		Workspaces:            map[string]string{"n1": "w1", "n2": "w2", "n4": "w1"},
		GlobalRoleBindings:    bindingsOf(t, "global", "GlobalRole", func(*authz.Binding) {}),
		WorkspaceRoleBindings: bindingsOf(t, "workspace", "WorkspaceRole", func(b *authz.Binding) { b.Workspace = workspace.Draw(t, "w") }),
		ClusterRoleBindings:   bindingsOf(t, "cluster", "ClusterRole", func(*authz.Binding) {}),
		RoleBindings: bindingsOf(t, "namespace", "Role", func(b *authz.Binding) {
			b.Namespace = namespace.Draw(t, "ns")
			b.RoleKind = rapid.SampledFrom([]string{"Role", "ClusterRole"}).Draw(t, "kind")
		}),
	}
}

func someUser(t *rapid.T) *exchange.User {
	return &exchange.User{Name: rapid.SampledFrom([]string{"u1", "u2"}).Draw(t, "user"), Groups: rapid.SliceOfN(rapid.SampledFrom([]string{"g1", "g2"}), 0, 2).Draw(t, "groups")}
}

func TestIndexDecidesAsReadingEveryBinding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, u := objectsOf(t), someUser(t)
		info := exchange.RequestInfo{Verb: rapid.SampledFrom([]string{"get", "list", "delete"}).Draw(t, "verb"), Resource: "pods", IsResourceRequest: true}
		info.Scope = rapid.SampledFrom([]exchange.Scope{exchange.ScopeGlobal, exchange.ScopeCluster, exchange.ScopeWorkspace, exchange.ScopeNamespace}).Draw(t, "scope")
		info.Workspace = rapid.SampledFrom([]string{"", "w1", "w2"}).Draw(t, "of")
		if info.Scope == exchange.ScopeNamespace {
			info.Namespace = rapid.SampledFrom([]string{"n1", "n2", "n3"}).Draw(t, "in")
		}
		want := slow(o, u, &info)
		if got := authz.NewAuthorizer("", fixed{index: authz.Build(o)}).Authorize(u, &info); got.Allowed != want {
			t.Fatalf("index says %+v, bindings say %v", got, want)
		}
	})
}
