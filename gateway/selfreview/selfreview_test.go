package selfreview_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/gateway/selfreview"
)

const (
	accessPath = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
	rulesPath  = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
)

// source is a source of roles that never changes.
type source struct {
	index *authz.Index
	err   error
}

func (s source) Index() *authz.Index { return s.index }
func (s source) Synced() error       { return s.err }

func (source) Changed() <-chan struct{} { return nil }

// platform is the seed of the development stack in small: admin of everything, alice of workspace demo, bob who reads in
// demo-shop, carol who reads nodes, and nobody in particular.
func platform() *authz.Index {
	rule := func(verbs, groups, resources string) authz.Rule {
		return authz.Rule{Verbs: strings.Split(verbs, ","), APIGroups: strings.Split(groups, ","), Resources: strings.Split(resources, ",")}
	}
	role := func(namespace, name string, rules ...authz.Rule) *authz.Role {
		return &authz.Role{Namespace: namespace, Name: name, Rules: authz.NewRules(rules)}
	}
	to := func(kind, name string) []authz.Subject { return []authz.Subject{{Kind: kind, Name: name}} }
	return authz.Build(authz.Objects{
		GlobalRoles: []*authz.Role{
			role("", "platform-admin", rule("*", "*", "*"), authz.Rule{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}}),
			role("", "platform-regular", rule("get,list", "tenant.kubesphere.io", "workspaces")),
		},
		WorkspaceRoles: []*authz.Role{role("", "demo-admin", rule("*", "*", "*"))},
		ClusterRoles: []*authz.Role{
			role("", "nodes", rule("get,list", "", "nodes")), role("", "everything", rule("*", "*", "*")),
			role("", "discovery", authz.Rule{Verbs: []string{"get"}, NonResourceURLs: []string{"/api", "/api/*"}}),
		},
		Roles: []*authz.Role{role("demo-shop", "viewer", rule("get,list,watch", ",apps", "pods,pods/log,deployments"), authz.Rule{
			Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"shop"},
		})},
		GlobalRoleBindings: []*authz.Binding{
			{Name: "admin", RoleKind: "GlobalRole", Role: "platform-admin", Subjects: to("User", "admin")},
			{Name: "alice", RoleKind: "GlobalRole", Role: "platform-regular", Subjects: to("User", "alice")},
		},
		WorkspaceRoleBindings: []*authz.Binding{{Name: "alice-demo", Workspace: "demo", RoleKind: "WorkspaceRole", Role: "demo-admin", Subjects: to("User", "alice")}},
		RoleBindings:          []*authz.Binding{{Namespace: "demo-shop", Name: "bob", RoleKind: "Role", Role: "viewer", Subjects: to("User", "bob")}},
		ClusterRoleBindings: []*authz.Binding{
			{Name: "carol", RoleKind: "ClusterRole", Role: "nodes", Subjects: to("User", "carol")},
			{Name: "clara", RoleKind: "ClusterRole", Role: "everything", Subjects: to("User", "clara")},
			{Name: "discovery", RoleKind: "ClusterRole", Role: "discovery", Subjects: to("Group", "system:authenticated")},
		},
		Workspaces: map[string]string{"demo-shop": "demo", "edge-sensors": "edge"},
	})
}

func stage(s source) *selfreview.Stage {
	z := authz.NewAuthorizer(authz.RBAC, s)
	return selfreview.New(selfreview.Options{Authorizer: z, Rules: func(u *exchange.User, namespace string) (rules []selfreview.Rule) {
		for _, r := range z.Rules(u, namespace) {
			rules = append(rules, selfreview.Rule(r))
		}
		return rules
	}})
}

// request is what a client sends.
type request struct {
	user, method, path, contentType, accept string
	body                                    []byte
}

// send has s serve r behind the real request info. passed says whether s passed it on.
func send(s *selfreview.Stage, r request) (resp *fasthttp.Response, passed bool) {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod(r.method)
	ctx.Request.SetRequestURI(r.path)
	if r.contentType != "" {
		ctx.Request.Header.SetContentType(r.contentType)
	}
	if r.accept != "" {
		ctx.Request.Header.Set("Accept", r.accept)
	}
	ctx.Request.SetBody(r.body)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.User = &exchange.User{Name: r.user, Groups: []string{"system:authenticated"}}
		requestinfo.New().Serve(x, func(x *exchange.Exchange) {
			s.Serve(x, func(*exchange.Exchange) { passed = true })
		})
	})
	return &ctx.Response, passed
}

// review sends object as JSON and reads the answer into the same type.
func review[T any](t *testing.T, s *selfreview.Stage, user, path string, object *T) *T {
	t.Helper()
	body, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	resp, passed := send(s, request{user: user, method: "POST", path: path, contentType: "application/json", body: body})
	if passed || resp.StatusCode() != 201 || string(resp.Header.ContentType()) != "application/json" {
		t.Fatalf("passed on %v, %d %s", passed, resp.StatusCode(), resp.Body())
	}
	if cc := string(resp.Header.Peek("Cache-Control")); cc != "no-cache, private" {
		t.Errorf("Cache-Control %q", cc)
	}
	answer := new(T)
	if err := json.Unmarshal(resp.Body(), answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestAccess(t *testing.T) {
	s := stage(source{index: platform()})
	resource := func(verb, group, resource, namespace, name string) authorizationv1.SelfSubjectAccessReviewSpec {
		resource, sub, _ := strings.Cut(resource, "/")
		return authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: verb, Group: group, Version: "v1", Resource: resource, Subresource: sub, Namespace: namespace, Name: name,
		}}
	}
	path := func(verb, path string) authorizationv1.SelfSubjectAccessReviewSpec {
		return authorizationv1.SelfSubjectAccessReviewSpec{NonResourceAttributes: &authorizationv1.NonResourceAttributes{Verb: verb, Path: path}}
	}
	const iam, tenant = "iam.kubesphere.io", "tenant.kubesphere.io"
	for _, c := range []struct {
		user  string
		spec  authorizationv1.SelfSubjectAccessReviewSpec
		allow bool
	}{
		{"admin", resource("*", "", "*", "default", ""), true},
		{"admin", resource("*", "*", "*", "", ""), true},
		{"admin", resource("delete", iam, "users", "", "bob"), true},
		{"admin", path("get", "/metrics"), true},
		{"alice", resource("create", "", "pods", "demo-shop", ""), true},
		{"alice", resource("*", "*", "*", "demo-shop", ""), true},
		{"alice", resource("*", "*", "*", "", ""), false},
		{"alice", resource("create", "", "pods", "edge-sensors", ""), false},
		{"alice", resource("list", "", "secrets", "kube-system", ""), false},
		{"alice", resource("list", "", "secrets", "not-there", ""), false},
		{"alice", resource("list", "", "pods", "", ""), false},
		// A namespace is inside of itself, whatever namespace the client's context names.
		{"alice", resource("delete", "", "namespaces", "default", "demo-shop"), true},
		{"alice", resource("delete", "", "namespaces", "demo-shop", "edge-sensors"), false},
		// Resources of the platform itself are not a workspace's.
		{"alice", resource("list", iam, "users", "demo-shop", ""), false},
		{"alice", resource("list", tenant, "workspaces", "", ""), true},
		{"alice", resource("delete", tenant, "workspaces", "demo-shop", "demo"), false},
		{"alice", path("get", "/api/v1"), true},
		{"alice", path("get", "/metrics"), false},
		{"alice", path("get", "/healthz"), true},
		{"bob", resource("get", "", "pods", "demo-shop", ""), true},
		{"bob", resource("get", "", "pods/log", "demo-shop", "web"), true},
		{"bob", resource("get", "", "pods/exec", "demo-shop", "web"), false},
		{"bob", resource("delete", "", "pods", "demo-shop", ""), false},
		{"bob", resource("*", "", "pods", "demo-shop", ""), false},
		{"bob", resource("get", "", "*", "demo-shop", ""), false},
		{"bob", resource("get", "*", "pods", "demo-shop", ""), false},
		{"bob", resource("get", "", "configmaps", "demo-shop", "shop"), true},
		{"bob", resource("get", "", "configmaps", "demo-shop", ""), false},
		{"bob", resource("get", "", "pods", "demo-staging", ""), false},
		{"carol", resource("list", "", "nodes", "", ""), true},
		{"clara", resource("list", iam, "users", "", ""), false},
		{"clara", resource("*", "*", "*", "", ""), false}, // not those of the platform itself
		{"clara", resource("*", "apps", "*", "", ""), true},
		{"nobody", resource("get", "", "pods", "demo-shop", ""), false},
		{"nobody", resource("", "", "", "", ""), false},
		{"nobody", path("", ""), false},
	} {
		got := review(t, s, c.user, accessPath, &authorizationv1.SelfSubjectAccessReview{Spec: c.spec})
		if got.Kind != "SelfSubjectAccessReview" || got.APIVersion != "authorization.k8s.io/v1" || !reflect.DeepEqual(got.Spec, c.spec) {
			t.Errorf("answer %+v to spec %+v", got, c.spec)
		}
		if st := got.Status; st.Allowed != c.allow || st.Denied || st.Reason == "" || st.EvaluationError != "" {
			t.Errorf("%s: %v %v: %+v", c.user, c.spec.ResourceAttributes, c.spec.NonResourceAttributes, st)
		}
	}
}

func TestReasonNamesTheBinding(t *testing.T) {
	r := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods", Namespace: "demo-shop"},
	}}
	got := review(t, stage(source{index: platform()}), "bob", accessPath+"?dryRun=All&pretty=true&fieldManager=x", r)
	if got.Status.Reason != `RBAC: allowed by RoleBinding "demo-shop/bob" of Role "viewer" to User "bob"` {
		t.Error(got.Status)
	}
}

func TestRules(t *testing.T) {
	s := stage(source{index: platform()})
	all := authorizationv1.ResourceRule{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}}
	workspaces := authorizationv1.ResourceRule{Verbs: []string{"get", "list"}, APIGroups: []string{"tenant.kubesphere.io"}, Resources: []string{"workspaces"}}
	discovery := authorizationv1.NonResourceRule{Verbs: []string{"get"}, NonResourceURLs: []string{"/api", "/api/*"}}
	viewer := []authorizationv1.ResourceRule{
		{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{"", "apps"}, Resources: []string{"pods", "pods/log", "deployments"}},
		{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"shop"}},
	}
	for _, c := range []struct {
		user, namespace string
		resources       []authorizationv1.ResourceRule
		paths           []authorizationv1.NonResourceRule
	}{
		{"admin", "demo-shop", []authorizationv1.ResourceRule{all}, []authorizationv1.NonResourceRule{{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}}, discovery}},
		{"alice", "demo-shop", []authorizationv1.ResourceRule{workspaces, all}, []authorizationv1.NonResourceRule{discovery}},
		{"alice", "edge-sensors", []authorizationv1.ResourceRule{workspaces}, []authorizationv1.NonResourceRule{discovery}},
		{"bob", "demo-shop", viewer, []authorizationv1.NonResourceRule{discovery}},
		{"bob", "kube-system", []authorizationv1.ResourceRule{}, []authorizationv1.NonResourceRule{discovery}},
	} {
		r := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: c.namespace}}
		got := review(t, s, c.user, rulesPath, r)
		want := authorizationv1.SubjectRulesReviewStatus{ResourceRules: c.resources, NonResourceRules: c.paths}
		if got.Kind != "SelfSubjectRulesReview" || got.Spec != r.Spec || !reflect.DeepEqual(got.Status, want) {
			t.Errorf("%s in %s: %+v\nwant %+v", c.user, c.namespace, got, want)
		}
	}
}

// While roles are being read the answers say so, and no address.
func TestRolesAreMissing(t *testing.T) {
	s := stage(source{index: platform(), err: errors.New("globalroles: dial 10.0.0.1: refused")})
	const unread = "not all roles have been read yet"
	ask := func(verb string) authorizationv1.SubjectAccessReviewStatus {
		return review(t, s, "bob", accessPath, &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "pods", Namespace: "demo-shop"},
		}}).Status
	}
	if st := ask("get"); !st.Allowed || st.EvaluationError != "" {
		t.Errorf("%+v", st)
	}
	if st := ask("delete"); st.Allowed || st.EvaluationError != unread {
		t.Errorf("%+v", st)
	}
	got := review(t, s, "bob", rulesPath, &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: "demo-shop"}})
	if !got.Status.Incomplete || got.Status.EvaluationError != unread || len(got.Status.ResourceRules) != 2 {
		t.Errorf("%+v", got.Status)
	}
}

func TestOthersPass(t *testing.T) {
	forwarding := selfreview.New(selfreview.Options{Forward: true})
	own := stage(source{index: platform()})
	for _, c := range []struct {
		s            *selfreview.Stage
		method, path string
	}{
		{forwarding, "POST", accessPath},
		{forwarding, "POST", rulesPath},
		{own, "GET", accessPath},
		{own, "DELETE", accessPath},
		{own, "POST", accessPath + "/x"},
		{own, "POST", "/apis/authorization.k8s.io/v1/namespaces/n/selfsubjectaccessreviews"},
		{own, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews"},
		{own, "POST", "/apis/authorization.k8s.io/v1beta1/selfsubjectaccessreviews"},
		{own, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"},
		{own, "POST", "/kapis/authorization.k8s.io/v1/selfsubjectaccessreviews"},
		{own, "POST", "/apis/example.io/v1/selfsubjectaccessreviews"},
		{own, "POST", "/apis/authorization.k8s.io/v1"},
	} {
		if resp, passed := send(c.s, request{user: "bob", method: c.method, path: c.path}); !passed {
			t.Errorf("%s %s: %d %s", c.method, c.path, resp.StatusCode(), resp.Body())
		}
	}
}

func TestExplain(t *testing.T) {
	own, forwarding := stage(source{index: platform()}), selfreview.New(selfreview.Options{Forward: true})
	for _, c := range []struct {
		s       *selfreview.Stage
		path    string
		verdict exchange.Verdict
		reason  string
	}{
		{own, accessPath, exchange.Answer, "the gateway says what the user may do by its own decisions"},
		{own, "/apis/clusters/host" + strings.TrimPrefix(rulesPath, "/apis"), exchange.Answer, "the gateway says what the user may do by its own decisions"},
		{own, "/api/v1/pods", exchange.Pass, "not a review of the user's own rights"},
		{forwarding, accessPath, exchange.Pass, "reviews are kube-apiserver's: it decides again"},
		{forwarding, "/api/v1/pods", exchange.Pass, "not a review of the user's own rights"},
	} {
		x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx)}
		x.HTTP.Request.Header.SetMethod("POST")
		x.HTTP.Request.SetRequestURI(c.path)
		requestinfo.New().Explain(x)
		if f := c.s.Explain(x); f.Stage != "selfreview" || f.Verdict != c.verdict || f.Reason != c.reason {
			t.Errorf("%s: %+v", c.path, f)
		}
	}
}
