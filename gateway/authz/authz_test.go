package authz_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

// fixed is a source that never changes.
type fixed struct {
	index *authz.Index
	err   error
}

func (f fixed) Index() *authz.Index { return f.index }
func (f fixed) Synced() error       { return f.err }

func (fixed) Changed() <-chan struct{} { return nil }

func role(namespace, name string, rules ...authz.Rule) *authz.Role {
	return &authz.Role{Namespace: namespace, Name: name, Rules: authz.NewRules(rules)}
}

func allow(verbs, groups, resources string) authz.Rule {
	return authz.Rule{Verbs: strings.Split(verbs, ","), APIGroups: strings.Split(groups, ","), Resources: strings.Split(resources, ",")}
}

func user(name string) authz.Subject  { return authz.Subject{Kind: "User", Name: name} }
func group(name string) authz.Subject { return authz.Subject{Kind: "Group", Name: name} }

// platform has two workspaces with a namespace each, kube-system without workspace, and one person for each level.
func platform() authz.Objects {
	return authz.Objects{
		GlobalRoles:    []*authz.Role{role("", "platform-admin", allow("*", "*", "*"), authz.Rule{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}}), role("", "user-reader", allow("get,list", "iam.kubesphere.io", "users"))},
		WorkspaceRoles: []*authz.Role{role("", "ws1-admin", allow("*", "*", "*"))},
		Roles:          []*authz.Role{role("ns1", "reader", allow("get,list,watch", "", "pods,pods/log")), role("kube-system", "reader", allow("get", "", "secrets"))},
		ClusterRoles:   []*authz.Role{role("", "node-reader", allow("get,list", "", "nodes")), role("", "edit", allow("create,update", "", "configmaps")), role("", "discovery", authz.Rule{Verbs: []string{"get"}, NonResourceURLs: []string{"/api", "/api/*", "/version"}})},
		GlobalRoleBindings: []*authz.Binding{
			{Name: "root", RoleKind: "GlobalRole", Role: "platform-admin", Subjects: []authz.Subject{user("root")}},
			{Name: "ursula", RoleKind: "GlobalRole", Role: "user-reader", Subjects: []authz.Subject{user("ursula")}},
			{Name: "wrong-kind", RoleKind: "ClusterRole", Role: "node-reader", Subjects: []authz.Subject{user("nobody")}},
		},
		WorkspaceRoleBindings: []*authz.Binding{
			{Name: "wanda-ws1", Workspace: "ws1", RoleKind: "WorkspaceRole", Role: "ws1-admin", Subjects: []authz.Subject{user("wanda")}},
			{Name: "nowhere", Workspace: "", RoleKind: "WorkspaceRole", Role: "ws1-admin", Subjects: []authz.Subject{user("nora")}},
		},
		RoleBindings: []*authz.Binding{
			{Namespace: "ns1", Name: "nick", RoleKind: "Role", Role: "reader", Subjects: []authz.Subject{user("nick"), group("devs")}},
			{Namespace: "ns1", Name: "edit", RoleKind: "ClusterRole", Role: "edit", Subjects: []authz.Subject{{Kind: "ServiceAccount", Name: "robot"}}},
			{Namespace: "ns1", Name: "dangling", RoleKind: "Role", Role: "gone", Subjects: []authz.Subject{user("nobody")}},
		},
		ClusterRoleBindings: []*authz.Binding{
			{Name: "carl", RoleKind: "ClusterRole", Role: "node-reader", Subjects: []authz.Subject{user("carl")}},
			{Name: "carl2", RoleKind: "ClusterRole", Role: "edit", Subjects: []authz.Subject{user("carl")}},
			{Name: "discovery", RoleKind: "ClusterRole", Role: "discovery", Subjects: []authz.Subject{group("system:authenticated")}},
		},
		Workspaces: map[string]string{"ns1": "ws1", "ns2": "ws2"},
	}
}

func get(resource, namespace string) exchange.RequestInfo {
	info := exchange.RequestInfo{Verb: "get", Resource: resource, Namespace: namespace, IsResourceRequest: true, Path: "/x"}
	if namespace != "" {
		info.Scope = exchange.ScopeNamespace
	}
	return info
}

func TestAuthorize(t *testing.T) {
	z := authz.NewAuthorizer("", fixed{index: authz.Build(platform())})
	in := func(scope exchange.Scope, group, resource, workspace, namespace string) exchange.RequestInfo {
		return exchange.RequestInfo{Verb: "get", APIGroup: group, Resource: resource, Workspace: workspace, Namespace: namespace, Scope: scope, IsResourceRequest: true}
	}
	path := func(p string) exchange.RequestInfo { return exchange.RequestInfo{Verb: "get", Path: p} }
	for _, c := range []struct {
		name, user, groups string
		info               exchange.RequestInfo
		reason             string // empty: denied
	}{
		{"global role everywhere", "root", "", get("secrets", "kube-system"), `RBAC: allowed by GlobalRoleBinding "root" of GlobalRole "platform-admin" to User "root"`},
		{"global role for a path", "root", "", path("/metrics"), `RBAC: allowed by GlobalRoleBinding "root" of GlobalRole "platform-admin" to User "root"`},
		{"global resource", "ursula", "", in(exchange.ScopeGlobal, "iam.kubesphere.io", "users", "", ""), `RBAC: allowed by GlobalRoleBinding "ursula" of GlobalRole "user-reader" to User "ursula"`},
		{"global binding of a cluster role", "nobody", "", get("nodes", ""), ""},
		{"global scope ends with global roles", "wanda", "", in(exchange.ScopeGlobal, "iam.kubesphere.io", "users", "ws1", ""), ""},
		{"global scope ends before cluster roles", "carl", "", in(exchange.ScopeGlobal, "", "nodes", "", ""), ""},
		{"workspace role in the workspace", "wanda", "", in(exchange.ScopeWorkspace, "tenant.kubesphere.io", "namespaces", "ws1", ""), `RBAC: allowed by WorkspaceRoleBinding "wanda-ws1" in workspace "ws1" of WorkspaceRole "ws1-admin" to User "wanda"`},
		{"workspace role in the workspace's namespace", "wanda", "", get("secrets", "ns1"), `RBAC: allowed by WorkspaceRoleBinding "wanda-ws1" in workspace "ws1" of WorkspaceRole "ws1-admin" to User "wanda"`},
		{"another workspace", "wanda", "", in(exchange.ScopeWorkspace, "tenant.kubesphere.io", "namespaces", "ws2", ""), ""},
		{"another workspace's namespace", "wanda", "", get("secrets", "ns2"), ""},
		{"cluster scope", "wanda", "", get("nodes", ""), ""},
		{"role in its namespace", "nick", "", get("pods", "ns1"), `RBAC: allowed by RoleBinding "ns1/nick" of Role "reader" to User "nick"`},
		{"role by group", "paul", "x devs", get("pods", "ns1"), `RBAC: allowed by RoleBinding "ns1/nick" of Role "reader" to Group "devs"`},
		{"same role name, another namespace", "nick", "", get("secrets", "kube-system"), ""},
		{"role says nothing of secrets", "nick", "", get("secrets", "ns1"), ""},
		{"role in no namespace", "nick", "", get("pods", ""), ""},
		{"missing role", "nobody", "", get("pods", "ns1"), ""},
		{"service account without namespace is of the binding's", "system:serviceaccount:ns1:robot", "", exchange.RequestInfo{Verb: "create", Resource: "configmaps", Namespace: "ns1", Scope: exchange.ScopeNamespace, IsResourceRequest: true}, `RBAC: allowed by RoleBinding "ns1/edit" of ClusterRole "edit" to ServiceAccount "robot"`},
		{"cluster role", "carl", "", get("nodes", ""), `RBAC: allowed by ClusterRoleBinding "carl" of ClusterRole "node-reader" to User "carl"`},
		{"second cluster role", "carl", "", exchange.RequestInfo{Verb: "update", Resource: "configmaps", Namespace: "ns2", Scope: exchange.ScopeNamespace, IsResourceRequest: true}, `RBAC: allowed by ClusterRoleBinding "carl2" of ClusterRole "edit" to User "carl"`},
		{"path", "carl", "system:authenticated", path("/api/v1"), `RBAC: allowed by ClusterRoleBinding "discovery" of ClusterRole "discovery" to Group "system:authenticated"`},
		{"path by prefix only", "carl", "system:authenticated", path("/apis"), ""},
		{"a user is no group", "devs", "", get("pods", "ns1"), ""},
		{"open path", "", "", path("/kapis/version"), "path is open to everybody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := &exchange.User{Name: c.user, Groups: strings.Fields(c.groups)}
			d := z.Authorize(u, &c.info)
			if d.Allowed != (c.reason != "") {
				t.Fatalf("allowed = %v (%s), want %q", d.Allowed, d.Why(u), c.reason)
			}
			if d.Allowed && d.Why(u) != c.reason {
				t.Errorf("reason = %s\nwant     %s", d.Why(u), c.reason)
			}
		})
	}
}

// KubeSphere 3.4 takes "no workspace" for "any workspace": there, each of these is allowed.
func TestNoWorkspaceIsNobodysWorkspace(t *testing.T) {
	z := authz.NewAuthorizer(authz.RBAC, fixed{index: authz.Build(platform())})
	for name, info := range map[string]exchange.RequestInfo{
		"namespace without workspace":              {Verb: "list", Resource: "secrets", Namespace: "kube-system", Scope: exchange.ScopeNamespace, IsResourceRequest: true},
		"namespace that does not exist":            {Verb: "list", Resource: "secrets", Namespace: "nowhere", Scope: exchange.ScopeNamespace, IsResourceRequest: true},
		"empty namespace":                          {Verb: "list", Resource: "secrets", Scope: exchange.ScopeNamespace, IsResourceRequest: true},
		"empty workspace":                          {Verb: "watch", Resource: "pods", Scope: exchange.ScopeWorkspace, IsResourceRequest: true},
		"workspace claimed by the path":            {Verb: "list", Resource: "secrets", Workspace: "ws1", Namespace: "kube-system", Scope: exchange.ScopeNamespace, IsResourceRequest: true},
		"workspace claimed for another's":          {Verb: "list", Resource: "secrets", Workspace: "ws1", Namespace: "ns2", Scope: exchange.ScopeNamespace, IsResourceRequest: true},
		"devops project that does not exist":       {Verb: "list", Resource: "pipelines", Workspace: "ws1", DevOps: "nowhere", Scope: exchange.ScopeDevOps, IsResourceRequest: true},
		"namespace named beside a devops project":  {Verb: "list", Resource: "pipelines", Namespace: "ns1", DevOps: "nowhere", Scope: exchange.ScopeDevOps, IsResourceRequest: true},
		"namespace named in a request of no scope": {Verb: "list", Resource: "secrets", Namespace: "ns1", Workspace: "ws1", Scope: exchange.ScopeCluster, IsResourceRequest: true},
	} {
		for _, who := range []string{"wanda", "nora"} {
			if d := z.Authorize(&exchange.User{Name: who}, &info); d.Allowed {
				t.Errorf("%s: %s is allowed: %+v", name, who, d)
			}
		}
	}
}

func TestOpen(t *testing.T) {
	for path, want := range map[string]bool{
		"/oauth/authorize": true, "/oauth/": true, "/oauth": false, "/oauthx/": false, "/oauth/../api/v1/secrets": false, "/oauth/./x": false, "/oauth/..": false, "/oauth/.": false, "/oauth/.well-known/x": true,
		"/kapis/config.kubesphere.io/v1alpha2/configs/oauth": true, "/kapis/config.kubesphere.io": false, "/kapis/config.kubesphere.iox/v1": false,
		"/kapis/config.kubesphere.io/../iam.kubesphere.io/v1alpha2/users": false,
		"/kapis/version": true, "/kapis/version/": false, "/kapis/metrics": false, "/healthz": true, "/livez": true, "/readyz": true, "/healthz/etcd": false,
		"": false, "/": false,
	} {
		if got := authz.Open(path); got != want {
			t.Errorf("Open(%q) = %v", path, got)
		}
	}
}

func TestModes(t *testing.T) {
	open, pods := exchange.RequestInfo{Verb: "get", Path: "/healthz"}, get("pods", "ns1")
	somebody := &exchange.User{Name: "x"}
	for _, c := range []struct {
		mode       string
		open, pods bool
	}{{authz.AlwaysAllow, true, true}, {authz.AlwaysDeny, false, false}, {authz.RBAC, true, false}, {"", true, false}} {
		z := authz.NewAuthorizer(c.mode, nil)
		if got := z.Authorize(somebody, &open).Allowed; got != c.open {
			t.Errorf("%s: open path: %v", c.mode, got)
		}
		if got := z.Authorize(somebody, &pods).Allowed; got != c.pods {
			t.Errorf("%s: pods: %v", c.mode, got)
		}
	}
	if authz.NewAuthorizer(authz.RBAC, fixed{}).Authorize(nil, &pods).Allowed {
		t.Error("nobody is allowed")
	}
}

// serve runs a stage and returns the answer and whether the next stage was reached.
func serve(s exchange.Stage, u *exchange.User, info exchange.RequestInfo) (resp *fasthttp.Response, reached bool) {
	ctx := new(fasthttp.RequestCtx)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.ID, x.User, x.Info = "id-1", u, info
		s.Serve(x, func(*exchange.Exchange) { reached = true })
	})
	return &ctx.Response, reached
}

func TestStageRefusesInKubernetesWords(t *testing.T) {
	registry := prometheus.NewRegistry()
	metrics := authz.NewMetrics(registry)
	s := authz.New(authz.Options{Authorizer: authz.NewAuthorizer("", fixed{index: authz.Build(platform())}), Metrics: metrics})
	for _, c := range []struct {
		info exchange.RequestInfo
		want string
	}{
		{exchange.RequestInfo{Verb: "list", Resource: "pods", Namespace: "y", Scope: exchange.ScopeNamespace, IsResourceRequest: true}, `pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "y"`},
		{exchange.RequestInfo{Verb: "get", APIGroup: "apps", Resource: "deployments", Subresource: "scale", Name: "d", Namespace: "y", Scope: exchange.ScopeNamespace, IsResourceRequest: true}, `deployments.apps "d" is forbidden: User "x" cannot get resource "deployments/scale" in API group "apps" in the namespace "y"`},
		{exchange.RequestInfo{Verb: "list", Resource: "nodes", IsResourceRequest: true}, `nodes is forbidden: User "x" cannot list resource "nodes" in API group "" at the cluster scope`},
		{exchange.RequestInfo{Verb: "list", APIGroup: "tenant.kubesphere.io", Resource: "namespaces", Workspace: "w", Scope: exchange.ScopeWorkspace, IsResourceRequest: true}, `namespaces.tenant.kubesphere.io is forbidden: User "x" cannot list resource "namespaces" in API group "tenant.kubesphere.io" in the workspace "w"`},
		{exchange.RequestInfo{Verb: "list", APIGroup: "iam.kubesphere.io", Resource: "users", Scope: exchange.ScopeGlobal, IsResourceRequest: true}, `users.iam.kubesphere.io is forbidden: User "x" cannot list resource "users" in API group "iam.kubesphere.io" at the global scope`},
		{exchange.RequestInfo{Verb: "list", Resource: "pipelines", DevOps: "d", Scope: exchange.ScopeDevOps, IsResourceRequest: true}, `pipelines is forbidden: User "x" cannot list resource "pipelines" in API group "" in the devops project "d"`},
		{exchange.RequestInfo{Verb: "get", Path: "/metrics"}, `forbidden: User "x" cannot get path "/metrics"`},
	} {
		resp, reached := serve(s, &exchange.User{Name: "x"}, c.info)
		var st struct {
			Kind, Reason, Message string
			Code                  int
		}
		if err := json.Unmarshal(resp.Body(), &st); err != nil {
			t.Fatal(err)
		}
		if reached || st.Kind != "Status" || st.Reason != "Forbidden" || st.Code != 403 || resp.StatusCode() != 403 {
			t.Errorf("passed on: %v, answer %d %+v", reached, resp.StatusCode(), st)
		}
		if st.Message != c.want {
			t.Errorf("message %s\nwant    %s", st.Message, c.want)
		}
	}
	if _, reached := serve(s, &exchange.User{Name: "root"}, get("pods", "ns1")); !reached {
		t.Error("root is not passed on")
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP postern_authz_decisions_total Requests that reached authorization, by decision.
# TYPE postern_authz_decisions_total counter
postern_authz_decisions_total{decision="allow"} 1
postern_authz_decisions_total{decision="deny"} 7
`)); err != nil {
		t.Error(err)
	}
}

func TestRefusalSaysWhenRolesAreMissing(t *testing.T) {
	z := authz.NewAuthorizer(authz.RBAC, fixed{err: errors.New("globalroles: dial 10.0.0.1: refused")})
	s := authz.New(authz.Options{Authorizer: z})
	ctx := new(fasthttp.RequestCtx)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.User, x.Info = &exchange.User{Name: "x"}, get("pods", "y")
		s.Serve(x, func(*exchange.Exchange) { t.Error("passed on") })
		if !strings.HasSuffix(x.Reason, "globalroles: dial 10.0.0.1: refused") {
			t.Errorf("log: %s", x.Reason)
		}
		if f := s.Explain(x); !strings.HasSuffix(f.Reason, "globalroles: dial 10.0.0.1: refused") {
			t.Errorf("explanation: %s", f.Reason)
		}
	})
	if body := string(ctx.Response.Body()); !strings.Contains(body, `in the namespace \"y\": not all roles have been read yet`) || strings.Contains(body, "10.0.0.1") {
		t.Errorf("client: %s", body)
	}
}

func TestExplain(t *testing.T) {
	s := authz.New(authz.Options{Authorizer: authz.NewAuthorizer("", fixed{index: authz.Build(platform())})})
	for _, c := range []struct {
		user    *exchange.User
		info    exchange.RequestInfo
		verdict exchange.Verdict
		code    int
		reason  string
	}{
		{nil, get("pods", "ns1"), exchange.Pass, 0, "cannot decide without a user"},
		{nil, exchange.RequestInfo{Verb: "get", Path: "/healthz"}, exchange.Pass, 0, "path is open to everybody"},
		{&exchange.User{Name: "nick"}, get("pods", "ns1"), exchange.Pass, 0, `RBAC: allowed by RoleBinding "ns1/nick" of Role "reader" to User "nick"`},
		{&exchange.User{Name: "nick"}, get("pods", "ns2"), exchange.Refuse, 403, `pods is forbidden: User "nick" cannot get resource "pods" in API group "" in the namespace "ns2"`},
	} {
		f := s.Explain(&exchange.Exchange{User: c.user, Info: c.info})
		if f.Stage != "authz" || f.Verdict != c.verdict || f.Code != c.code || f.Reason != c.reason || f.Details["mode"] != "RBAC" {
			t.Errorf("finding %+v, want %s %d %s", f, c.verdict, c.code, c.reason)
		}
	}
}
