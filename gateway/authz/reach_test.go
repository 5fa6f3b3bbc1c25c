package authz_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
	"pgregory.net/rapid"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestNamespacesOfAUser(t *testing.T) {
	o := platform()
	o.Workspaces = map[string]string{"ns1": "ws1", "ns3": "ws1", "ns2": "ws2"}
	z := authz.NewAuthorizer("", fixed{index: authz.Build(o)})
	list := func(group, resource string) exchange.RequestInfo {
		return exchange.RequestInfo{Verb: "list", APIGroup: group, Resource: resource, IsResourceRequest: true}
	}
	in := func(workspace string, info exchange.RequestInfo) exchange.RequestInfo {
		info.Workspace, info.Scope = workspace, exchange.ScopeWorkspace
		return info
	}
	for _, c := range []struct {
		user, groups string
		info         exchange.RequestInfo
		want         string
		all          bool
	}{
		{"root", "", list("", "pods"), "", true},
		{"root", "", list("iam.kubesphere.io", "users"), "", true},
		{"carl", "", list("", "nodes"), "", true},
		{"carl", "", list("", "pods"), "", false},
		{"wanda", "", list("", "pods"), "ns1 ns3", false},
		{"wanda", "devs", list("", "pods"), "ns1 ns3", false},
		{"wanda", "", in("ws1", list("", "pods")), "ns1 ns3", false},
		{"wanda", "", in("ws2", list("", "pods")), "", false},
		{"wanda", "", list("iam.kubesphere.io", "users"), "", false},
		{"nora", "", list("", "pods"), "", false},
		{"nick", "", list("", "pods"), "ns1", false},
		{"nick", "", in("ws1", list("", "pods")), "ns1", false},
		{"nick", "", in("ws2", list("", "pods")), "", false},
		{"paul", "devs", list("", "pods"), "ns1", false},
		{"nick", "", list("", "secrets"), "", false},
		{"ursula", "", list("iam.kubesphere.io", "users"), "", true},
		{"ursula", "", list("", "pods"), "", false},
	} {
		got, all := z.Namespaces(&exchange.User{Name: c.user, Groups: strings.Fields(c.groups)}, &c.info)
		if strings.Join(got, " ") != c.want || all != c.all {
			t.Errorf("%s %s %+v: %q all %v, want %q", c.user, c.groups, c.info, got, all, c.want)
		}
	}
	spaces := list("tenant.kubesphere.io", "namespaces")
	if got, all := z.Workspaces(&exchange.User{Name: "wanda"}, &spaces); !slices.Equal(got, []string{"ws1"}) || all {
		t.Errorf("workspaces of wanda: %q %v", got, all)
	}
	if got, all := z.Workspaces(&exchange.User{Name: "root"}, &spaces); got != nil || !all {
		t.Errorf("workspaces of root: %q %v", got, all)
	}
}

func TestReachOfModes(t *testing.T) {
	pods, u := get("pods", ""), &exchange.User{Name: "root"}
	source := fixed{index: authz.Build(platform())}
	for _, c := range []struct {
		name string
		z    *authz.Authorizer
		user *exchange.User
		all  bool
	}{
		{"AlwaysAllow", authz.NewAuthorizer(authz.AlwaysAllow, nil), nil, true},
		{"AlwaysDeny", authz.NewAuthorizer(authz.AlwaysDeny, source), u, false},
		{"nobody", authz.NewAuthorizer("", source), nil, false},
		{"no source", authz.NewAuthorizer("", nil), u, false},
		{"no index", authz.NewAuthorizer("", fixed{}), u, false},
		{"root", authz.NewAuthorizer("", source), u, true},
	} {
		for _, f := range []func(*exchange.User, *exchange.RequestInfo) ([]string, bool){c.z.Namespaces, c.z.Workspaces} {
			if names, all := f(c.user, &pods); names != nil || all != c.all {
				t.Errorf("%s: %q %v", c.name, names, all)
			}
		}
		if missing := c.z.Covers(c.user, authz.Place{}, []authz.Rule{allow("get", "", "pods")}); (len(missing) == 0) != c.all {
			t.Errorf("%s: missing %v", c.name, missing)
		}
	}
}

// What Namespaces says is what Authorize says of each namespace.
func TestNamespacesAreThoseInWhichItIsAllowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := objectsOf(t)
		z := authz.NewAuthorizer("", fixed{index: authz.Build(o)})
		u := someUser(t)
		info := exchange.RequestInfo{Verb: rapid.SampledFrom([]string{"get", "list", "delete"}).Draw(t, "verb"), Resource: "pods", IsResourceRequest: true}
		names, all := z.Namespaces(u, &info)
		if everywhere := z.Authorize(u, &info).Allowed; all != everywhere {
			t.Fatalf("all %v, without namespace %v", all, everywhere)
		}
		info.Scope = exchange.ScopeNamespace
		for _, info.Namespace = range []string{"n1", "n2", "n3", "n4"} {
			if got := all || slices.Contains(names, info.Namespace); got != z.Authorize(u, &info).Allowed {
				t.Fatalf("%s: %v, names %q all %v", info.Namespace, !got, names, all)
			}
		}
	})
}

func TestCovers(t *testing.T) {
	z := authz.NewAuthorizer("", fixed{index: authz.Build(platform())})
	at := func(scope exchange.Scope, name string) authz.Place {
		return authz.Place{Scope: scope, Workspace: name, Namespace: name}
	}
	podsAndMore := allow("get,list", "", "pods,secrets")
	for _, c := range []struct {
		user    string
		at      authz.Place
		rule    authz.Rule
		missing int
	}{
		{"root", at(exchange.ScopeGlobal, ""), allow("*", "*", "*"), 0},
		{"root", at(exchange.ScopeNamespace, "ns1"), authz.Rule{Verbs: []string{"get"}, NonResourceURLs: []string{"/x*"}}, 0},
		{"wanda", at(exchange.ScopeWorkspace, "ws1"), allow("*", "*", "*"), 0},
		{"wanda", at(exchange.ScopeNamespace, "ns1"), allow("*", "*", "*"), 0},
		{"wanda", at(exchange.ScopeDevOps, "ns1"), allow("*", "*", "*"), 0},
		{"wanda", at(exchange.ScopeGlobal, ""), allow("*", "*", "*"), 1},
		{"wanda", at(exchange.ScopeCluster, ""), allow("*", "*", "*"), 1},
		{"wanda", at(exchange.ScopeWorkspace, "ws2"), allow("*", "*", "*"), 1},
		{"wanda", at(exchange.ScopeNamespace, "kube-system"), podsAndMore, 4},
		{"nick", at(exchange.ScopeNamespace, "ns1"), podsAndMore, 2},
		{"nick", at(exchange.ScopeNamespace, "ns1"), allow("get", "*", "pods"), 1},
		{"carl", at(exchange.ScopeCluster, ""), allow("get", "", "nodes"), 0},
		{"carl", at(exchange.ScopeGlobal, ""), allow("get", "", "nodes"), 1},
		{"nobody", at(exchange.ScopeCluster, ""), authz.Rule{Verbs: []string{"get", "put"}, NonResourceURLs: []string{"/a", "/b"}}, 4},
	} {
		if got := z.Covers(&exchange.User{Name: c.user}, c.at, []authz.Rule{c.rule}); len(got) != c.missing {
			t.Errorf("%s in %v lacks of %v: %v", c.user, c.at, c.rule, got)
		}
	}
}

// A rule may be so large that its pieces are not counted out: it is missing as a whole.
func TestCoversIsBounded(t *testing.T) {
	z := authz.NewAuthorizer("", fixed{index: authz.Build(platform())})
	many := make([]string, 1000)
	for i := range many {
		many[i] = strings.Repeat("x", i+1)
	}
	huge := authz.Rule{Verbs: many, APIGroups: many, Resources: many, ResourceNames: many}
	if got := z.Covers(&exchange.User{Name: "nick"}, authz.Place{}, []authz.Rule{huge}); len(got) != 1 {
		t.Errorf("%d missing", len(got))
	}
	if got := z.Covers(&exchange.User{Name: "root"}, authz.Place{}, []authz.Rule{huge}); got != nil {
		t.Errorf("root lacks %d", len(got))
	}
}

func TestCoversAsKubernetesDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		own := rapid.SliceOfN(rapid.Custom(ruleOf), 0, 5).Draw(t, "own")
		asked := rapid.SliceOfN(rapid.Custom(ruleOf), 0, 3).Draw(t, "asked")
		z := authz.NewAuthorizer("", fixed{index: authz.Build(authz.Objects{
			ClusterRoles:        []*authz.Role{role("", "r", rulesFrom(own)...)},
			ClusterRoleBindings: []*authz.Binding{{Name: "b", RoleKind: "ClusterRole", Role: "r", Subjects: []authz.Subject{user("x")}}},
		})})
		covered, missing := validation.Covers(own, asked)
		got := z.Covers(&exchange.User{Name: "x"}, authz.Place{}, rulesFrom(asked))
		if (len(got) == 0) != covered {
			t.Fatalf("own %+v\nasked %+v\nwe miss %+v, Kubernetes %+v", own, asked, got, missing)
		}
		if want := rulesFrom(missing); len(got) == len(want) && len(want) > 0 && len(asked) == 1 && !sameRules(got, want) {
			t.Fatalf("we miss %+v, Kubernetes %+v", got, want)
		}
	})
}

func rulesFrom(list []rbacv1.PolicyRule) []authz.Rule {
	rules := make([]authz.Rule, len(list))
	for i, r := range list {
		rules[i] = authz.Rule{Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames, NonResourceURLs: r.NonResourceURLs}
	}
	return rules
}

// sameRules says whether each of a is in b.
func sameRules(a, b []authz.Rule) bool {
	for _, r := range a {
		if !slices.ContainsFunc(b, func(o authz.Rule) bool {
			return reflect.DeepEqual(authz.NewRules([]authz.Rule{r}), authz.NewRules([]authz.Rule{o}))
		}) {
			return false
		}
	}
	return true
}
