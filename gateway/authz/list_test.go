package authz_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestRulesOfAUser(t *testing.T) {
	o := platform()
	// The same rules again, by a group and in another place, and a role in a namespace that has a rule for paths.
	o.ClusterRoles = append(o.ClusterRoles, role("", "odd", allow("get", "", "events"), authz.Rule{Verbs: []string{"get"}, NonResourceURLs: []string{"/odd"}}, authz.Rule{Verbs: []string{"get"}}))
	o.RoleBindings = append(o.RoleBindings,
		&authz.Binding{Namespace: "ns1", Name: "odd", RoleKind: "ClusterRole", Role: "odd", Subjects: []authz.Subject{user("otto")}},
		&authz.Binding{Namespace: "ns1", Name: "edit-too", RoleKind: "ClusterRole", Role: "edit", Subjects: []authz.Subject{group("devs")}})
	o.ClusterRoleBindings = append(o.ClusterRoleBindings, &authz.Binding{Name: "odd", RoleKind: "ClusterRole", Role: "odd", Subjects: []authz.Subject{user("olga")}})
	o.RoleBindings = append(o.RoleBindings, &authz.Binding{Namespace: "ns1", Name: "odd-too", RoleKind: "ClusterRole", Role: "odd", Subjects: []authz.Subject{user("olga")}})

	all := allow("*", "*", "*")
	pods, edit, nodes, events := allow("get,list,watch", "", "pods,pods/log"), allow("create,update", "", "configmaps"), allow("get,list", "", "nodes"), allow("get", "", "events")
	paths := func(p ...string) authz.Rule { return authz.Rule{Verbs: []string{"get"}, NonResourceURLs: p} }
	discovery := paths("/api", "/api/*", "/version")
	for _, c := range []struct {
		user, groups, namespace string
		want                    []authz.Rule
	}{
		{"root", "system:authenticated", "ns1", []authz.Rule{all, {Verbs: []string{"*"}, NonResourceURLs: []string{"*"}}, discovery}},
		{"wanda", "", "ns1", []authz.Rule{all}},
		{"wanda", "", "ns2", nil},
		{"wanda", "", "kube-system", nil},
		{"wanda", "", "not-there", nil},
		{"wanda", "", "", nil},
		{"nora", "", "ns1", nil},
		{"nora", "", "", nil},
		{"nick", "", "ns1", []authz.Rule{pods}},
		{"nick", "", "ns2", nil},
		{"nick", "devs system:authenticated", "ns1", []authz.Rule{pods, edit, discovery}},
		{"carl", "devs", "ns1", []authz.Rule{edit, pods, nodes}},
		{"carl", "", "ns2", []authz.Rule{nodes, edit}},
		{"otto", "", "ns1", []authz.Rule{events}},
		{"olga", "", "ns1", []authz.Rule{events, paths("/odd")}},
		{"nobody", "", "ns1", nil},
	} {
		z := authz.NewAuthorizer("", fixed{index: authz.Build(o)})
		u := &exchange.User{Name: c.user, Groups: strings.Fields(c.groups)}
		for range 3 {
			if got := z.Rules(u, c.namespace); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s of %s in %s: %+v\nwant %+v", c.user, c.groups, c.namespace, got, c.want)
			}
		}
	}
}

func TestRulesOfModes(t *testing.T) {
	u := &exchange.User{Name: "x"}
	if got := authz.NewAuthorizer(authz.AlwaysAllow, nil).Rules(u, "n"); len(got) != 2 || got[0].Resources[0] != "*" || got[1].NonResourceURLs[0] != "*" {
		t.Errorf("AlwaysAllow: %+v", got)
	}
	root := fixed{index: authz.Build(platform())}
	for name, got := range map[string][]authz.Rule{
		"AlwaysDeny":     authz.NewAuthorizer(authz.AlwaysDeny, root).Rules(&exchange.User{Name: "root"}, "n"),
		"without user":   authz.NewAuthorizer(authz.RBAC, root).Rules(nil, "n"),
		"without source": authz.NewAuthorizer(authz.RBAC, nil).Rules(u, "n"),
		"without index":  authz.NewAuthorizer(authz.RBAC, fixed{}).Rules(u, "n"),
	} {
		if got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestSynced(t *testing.T) {
	missing := fixed{err: errors.New("roles: not yet")}
	for mode, want := range map[string]bool{"": true, authz.RBAC: true, authz.AlwaysAllow: false, authz.AlwaysDeny: false} {
		if err := authz.NewAuthorizer(mode, missing).Synced(); (err != nil) != want {
			t.Errorf("%q: %v", mode, err)
		}
	}
}

// What is listed for a namespace is what is allowed in it, no more and no less.
func TestListedIsAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		namespace := rapid.SampledFrom([]string{"n1", "n2", "n3"})
		workspace := rapid.SampledFrom([]string{"w1", "w2"})
		o := authz.Objects{
			GlobalRoles: verbRoles(""), WorkspaceRoles: verbRoles(""), ClusterRoles: verbRoles(""), Roles: verbRoles("n1", "n2"),
			Workspaces:            map[string]string{"n1": "w1", "n2": "w2"},
			GlobalRoleBindings:    bindingsOf(t, "global", "GlobalRole", func(*authz.Binding) {}),
			WorkspaceRoleBindings: bindingsOf(t, "workspace", "WorkspaceRole", func(b *authz.Binding) { b.Workspace = workspace.Draw(t, "w") }),
			ClusterRoleBindings:   bindingsOf(t, "cluster", "ClusterRole", func(*authz.Binding) {}),
			RoleBindings:          bindingsOf(t, "namespace", "Role", func(b *authz.Binding) { b.Namespace = namespace.Draw(t, "ns") }),
		}
		u := &exchange.User{Name: rapid.SampledFrom([]string{"u1", "u2"}).Draw(t, "user"), Groups: rapid.SliceOfN(rapid.SampledFrom([]string{"g1", "g2"}), 0, 2).Draw(t, "groups")}
		in := namespace.Draw(t, "in")
		z := authz.NewAuthorizer("", fixed{index: authz.Build(o)})
		listed := map[string]bool{}
		for _, r := range z.Rules(u, in) {
			if listed[r.Verbs[0]] {
				t.Fatalf("%v is listed twice", r)
			}
			listed[r.Verbs[0]] = true
		}
		for _, verb := range []string{"get", "list", "delete"} {
			info := exchange.RequestInfo{Verb: verb, Resource: "pods", Namespace: in, Scope: exchange.ScopeNamespace, IsResourceRequest: true}
			if got := z.Authorize(u, &info); got.Allowed != listed[verb] {
				t.Fatalf("%s in %s: allowed %v, listed %v", verb, in, got.Allowed, listed[verb])
			}
		}
	})
}
