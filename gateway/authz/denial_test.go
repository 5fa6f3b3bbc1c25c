package authz_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestExplainSaysWhatWasMissing(t *testing.T) {
	o := platform()
	o.ClusterRoles = append(o.ClusterRoles, &authz.Role{Name: "scripted", Policy: true})
	o.ClusterRoleBindings = append(o.ClusterRoleBindings, &authz.Binding{Name: "scripted", RoleKind: "ClusterRole", Role: "scripted", Subjects: []authz.Subject{user("sven")}})
	o.ClusterRoles = append(o.ClusterRoles, role("", "one-secret", authz.Rule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"a"}}))
	o.ClusterRoleBindings = append(o.ClusterRoleBindings, &authz.Binding{Name: "one", RoleKind: "ClusterRole", Role: "one-secret", Subjects: []authz.Subject{user("olga")}})
	s := authz.New(authz.Options{Authorizer: authz.NewAuthorizer("", fixed{index: authz.Build(o)})})
	ask := func(verb, group, resource, namespace string) exchange.RequestInfo {
		info := get(resource, namespace)
		info.Verb, info.APIGroup = verb, group
		info.Scope = exchange.ScopeOf(&info)
		return info
	}
	named := ask("get", "", "secrets", "ns1")
	named.Name = "b"
	nobodys := exchange.RequestInfo{Verb: "watch", Resource: "pods", IsResourceRequest: true, Scope: exchange.ScopeWorkspace}
	for _, c := range []struct {
		user, groups string
		info         exchange.RequestInfo
		key, want    string
	}{
		{"nick", "", ask("delete", "", "pods", "ns1"), "looked", `platform: no binding of the user or of a group of the user`},
		{"nick", "", ask("delete", "", "pods", "ns1"), "looked", `workspace "ws1": no binding of the user or of a group of the user`},
		{"nick", "", ask("delete", "", "pods", "ns1"), "looked", `namespace "ns1": RoleBinding "ns1/nick" of Role "reader"`},
		{"nick", "", ask("delete", "", "pods", "ns1"), "nearest", `the rule that allows ["get" "list" "watch"] on ["pods" "pods/log"] in [""] of Role "reader" by RoleBinding "ns1/nick" lacks verb "delete"`},
		{"nick", "", ask("get", "", "pods/exec", "ns1"), "looked", `cluster: no binding of the user or of a group of the user`},
		{"nick", "", ask("get", "metrics.k8s.io", "pods", "ns1"), "nearest", `lacks API group "metrics.k8s.io"`},
		{"paul", "devs", ask("get", "", "pods", "kube-system"), "looked", `no workspace: namespace "kube-system" is in none, or does not exist`},
		{"paul", "devs", ask("get", "", "pods", "kube-system"), "allowedInNamespaces", `ns1`},
		{"nobody", "", ask("get", "", "pods", "ns1"), "looked", `namespace "ns1": RoleBinding "ns1/dangling" of Role "gone", which does not exist`},
		{"wanda", "", ask("get", "iam.kubesphere.io", "users", ""), "looked", `nowhere else: of what belongs to the platform itself (scope Global) only the platform's roles decide`},
		{"wanda", "", nobodys, "looked", `no workspace: the request names none`},
		{"carl", "", ask("get", "", "secrets", "ns1"), "looked", `cluster: ClusterRoleBinding "carl" of ClusterRole "node-reader"`},
		{"sven", "", ask("get", "", "secrets", "ns1"), "looked", `cluster: ClusterRoleBinding "scripted" of ClusterRole "scripted", whose Rego policy is not evaluated and allows nothing`},
		{"olga", "", ask("list", "", "secrets", "ns1"), "nearest", `called ["a"] of ClusterRole "one-secret" by ClusterRoleBinding "one" lacks verb "list" and requests without a name`},
		{"olga", "", named, "nearest", `lacks resource name "b"`},
		{"carl", "system:authenticated", exchange.RequestInfo{Verb: "get", Path: "/metrics"}, "nearest", `lacks path "/metrics"`},
	} {
		f := s.Explain(&exchange.Exchange{User: &exchange.User{Name: c.user, Groups: strings.Fields(c.groups)}, Info: c.info})
		if f.Verdict != exchange.Refuse {
			t.Errorf("%s %+v is not refused", c.user, c.info)
		}
		switch v := f.Details[c.key].(type) {
		case string:
			if !strings.Contains(v, c.want) {
				t.Errorf("%s: %s\nwant %s", c.user, v, c.want)
			}
		case []string:
			if !slices.Contains(v, c.want) {
				t.Errorf("%s: %q\nwant %s", c.user, v, c.want)
			}
		default:
			t.Errorf("%s: no %s in %v", c.user, c.key, f.Details)
		}
	}
}

// However many bindings there are, an explanation is a page.
func TestExplanationIsBounded(t *testing.T) {
	o := manyObjects(100)
	for i := range o.GlobalRoleBindings {
		o.GlobalRoleBindings[i].Subjects = []authz.Subject{user("x")}
		o.RoleBindings[i].Subjects = []authz.Subject{user("x")}
		o.RoleBindings[i].Namespace, o.RoleBindings[i].RoleKind, o.RoleBindings[i].Role = "z"+o.RoleBindings[i].Name, "ClusterRole", "metrics"
	}
	s := authz.New(authz.Options{Authorizer: authz.NewAuthorizer("", fixed{index: authz.Build(o)})})
	info := get("nodes", "kube-system")
	info.APIGroup = "metrics.k8s.io"
	f := s.Explain(&exchange.Exchange{User: &exchange.User{Name: "x"}, Info: info})
	looked, elsewhere := f.Details["looked"].([]string), f.Details["allowedInNamespaces"].([]string)
	if len(looked) != 24 || !slices.Contains(looked, "platform: and 80 more bindings") || len(elsewhere) != 21 || elsewhere[20] != "and 80 more" {
		t.Errorf("%q\n%q", looked, elsewhere)
	}
}
