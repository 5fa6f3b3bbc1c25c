package access

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// decider is an Authorizer of the tests' own: it allows what the real one does for a small platform, and keeps what it was
// asked.
type decider struct {
	*authz.Authorizer
	info   exchange.RequestInfo
	user   *exchange.User
	synced error
}

func (d *decider) Authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision {
	d.user, d.info = user, *info
	return d.Authorizer.Authorize(user, info)
}

func (d *decider) Synced() error { return d.synced }

type source struct{ index *authz.Index }

func (s source) Index() *authz.Index    { return s.index }
func (source) Synced() error            { return nil }
func (source) Changed() <-chan struct{} { return nil }

func rule(verbs, groups, resources string) authz.Rule {
	return authz.Rule{Verbs: strings.Split(verbs, ","), APIGroups: strings.Split(groups, ","), Resources: strings.Split(resources, ",")}
}

// platform: wanda has workspace ws1, whose namespace is ns1; nick reads pods in ns2; the group admins may everything.
func platform() (*Service, *decider) {
	role := func(namespace, name string, rules ...authz.Rule) *authz.Role {
		return &authz.Role{Namespace: namespace, Name: name, Rules: authz.NewRules(rules)}
	}
	d := &decider{Authorizer: authz.NewAuthorizer("", source{authz.Build(authz.Objects{
		GlobalRoles:    []*authz.Role{role("", "admin", rule("*", "*", "*"))},
		WorkspaceRoles: []*authz.Role{role("", "ws1-admin", rule("get,list,create", "", "pods,secrets"))},
		Roles:          []*authz.Role{role("ns2", "reader", rule("get,list", "", "pods"))},
		GlobalRoleBindings: []*authz.Binding{
			{Name: "g", RoleKind: "GlobalRole", Role: "admin", Subjects: []authz.Subject{{Kind: "Group", Name: "admins"}}},
		},
		WorkspaceRoleBindings: []*authz.Binding{
			{Name: "w", Workspace: "ws1", RoleKind: "WorkspaceRole", Role: "ws1-admin", Subjects: []authz.Subject{{Kind: "User", Name: "wanda"}}},
		},
		RoleBindings: []*authz.Binding{
			{Namespace: "ns2", Name: "n", RoleKind: "Role", Role: "reader", Subjects: []authz.Subject{{Kind: "User", Name: "nick"}}},
		},
		Workspaces: map[string]string{"ns1": "ws1"},
	})})}
	return New(Options{
		Authorizer: func() Authorizer { return d },
		User: func(name string) *exchange.User {
			if name == "nick" || name == "wanda" {
				return &exchange.User{Name: name}
			}
			return nil
		},
		Role: func(kind, namespace, name string) ([]authz.Rule, bool) {
			if kind != "WorkspaceRole" || namespace != "" || name != "ws1-admin" {
				return nil, false
			}
			return []authz.Rule{rule("get,list,create", "", "pods,secrets")}, true
		},
	}), d
}

func ask(caller *exchange.User, body string, tagsAndValues ...any) *service.Call {
	var r hostabi.Record
	for i := 0; i < len(tagsAndValues); i += 2 {
		r = r.Append(tagsAndValues[i].(hostabi.Tag), tagsAndValues[i+1].(string))
	}
	call := &service.Call{Module: "test", Grants: &service.Grants{Access: true}, Caller: caller, Record: r, MaxBytes: 1 << 20}
	if body != "" {
		call.Body = []byte(body)
	}
	return call
}

var (
	wanda = &exchange.User{Name: "wanda"}
	root  = &exchange.User{Name: "root", Groups: []string{"admins"}}
)

func TestMay(t *testing.T) {
	s, _ := platform()
	may := []any{hostabi.TagOperation, "may"}
	for _, c := range []struct {
		name   string
		caller *exchange.User
		args   []any
		want   string // allowed, denied, or a code
	}{
		{"caller in the workspace", wanda, []any{hostabi.TagVerb, "list", hostabi.TagResource, "pods", hostabi.TagWorkspace, "ws1"}, "allowed"},
		{"in its namespace", wanda, []any{hostabi.TagVerb, "list", hostabi.TagResource, "pods", hostabi.TagNamespace, "ns1"}, "allowed"},
		{"in another", wanda, []any{hostabi.TagVerb, "list", hostabi.TagResource, "pods", hostabi.TagNamespace, "ns2"}, "denied"},
		{"another verb", wanda, []any{hostabi.TagVerb, "delete", hostabi.TagResource, "pods", hostabi.TagNamespace, "ns1"}, "denied"},
		{"a subresource", wanda, []any{hostabi.TagVerb, "get", hostabi.TagResource, "pods", hostabi.TagSubresource, "log", hostabi.TagNamespace, "ns1"}, "denied"},
		{"a group's right", root, []any{hostabi.TagVerb, "update", hostabi.TagGroup, "iam.kubesphere.io", hostabi.TagResource, "users", hostabi.TagSubresource, "password"}, "allowed"},
		{"a user by name", root, []any{hostabi.TagUser, "nick", hostabi.TagVerb, "get", hostabi.TagResource, "pods", hostabi.TagNamespace, "ns2"}, "allowed"},
		{"who does not have the caller's", root, []any{hostabi.TagUser, "nick", hostabi.TagVerb, "get", hostabi.TagResource, "secrets", hostabi.TagNamespace, "ns2"}, "denied"},
		{"a user with groups", wanda, []any{hostabi.TagUser, "zoe", hostabi.TagUserGroup, "a", hostabi.TagUserGroup, "admins", hostabi.TagVerb, "get", hostabi.TagResource, "nodes"}, "allowed"},
		{"nobody", root, []any{hostabi.TagUser, "zoe", hostabi.TagVerb, "get", hostabi.TagResource, "pods"}, "not found"},
		{"an open path", nil, []any{hostabi.TagVerb, "get", hostabi.TagPath, "/healthz"}, "allowed"},
		{"another path", wanda, []any{hostabi.TagVerb, "get", hostabi.TagPath, "/metrics"}, "denied"},
		{"no user", nil, []any{hostabi.TagVerb, "get", hostabi.TagResource, "pods"}, "denied"},
		{"a scope of its own", wanda, []any{hostabi.TagVerb, "list", hostabi.TagResource, "pods", hostabi.TagScope, "Global", hostabi.TagWorkspace, "ws1"}, "denied"},
		{"workspace without a name", wanda, []any{hostabi.TagVerb, "list", hostabi.TagResource, "pods", hostabi.TagScope, "Workspace"}, "bad argument"},
		{"namespace without a name", wanda, []any{hostabi.TagVerb, "list", hostabi.TagResource, "pods", hostabi.TagScope, "Namespace", hostabi.TagWorkspace, "ws1"}, "bad argument"},
		{"no such scope", wanda, []any{hostabi.TagVerb, "list", hostabi.TagResource, "pods", hostabi.TagScope, "World"}, "bad argument"},
		{"no verb", wanda, []any{hostabi.TagResource, "pods"}, "bad argument"},
		{"neither resource nor path", wanda, []any{hostabi.TagVerb, "get"}, "bad argument"},
		{"both", wanda, []any{hostabi.TagVerb, "get", hostabi.TagResource, "pods", hostabi.TagPath, "/healthz"}, "bad argument"},
		{"groups of nobody", wanda, []any{hostabi.TagVerb, "get", hostabi.TagResource, "pods", hostabi.TagUserGroup, "admins"}, "bad argument"},
		{"an unknown tag", wanda, []any{hostabi.TagVerb, "get", hostabi.TagResource, "pods", hostabi.TagExpr, "up"}, "bad argument"},
	} {
		r := s.Do(t.Context(), ask(c.caller, "", append(may, c.args...)...))
		got := r.Code.String()
		if r.Code == hostabi.OK {
			var d decision
			if err := json.Unmarshal(r.Body, &d); err != nil {
				t.Fatal(err)
			}
			got = map[bool]string{true: "allowed", false: "denied"}[d.Allowed]
			if d.Reason == "" || d.Allowed != (d.Message == "") {
				t.Errorf("%s: %+v", c.name, d)
			}
		}
		if got != c.want {
			t.Errorf("%s: %s (%s %s), want %s", c.name, got, r.Err, r.Body, c.want)
		}
	}
}

func TestRefusalsAreInKubernetesWords(t *testing.T) {
	s, d := platform()
	r := s.Do(t.Context(), ask(wanda, "", hostabi.TagOperation, "may", hostabi.TagVerb, "delete", hostabi.TagGroup, "iam.kubesphere.io", hostabi.TagResource, "users", hostabi.TagName, "bob"))
	const want = `users.iam.kubesphere.io \"bob\" is forbidden: User \"wanda\" cannot delete resource \"users\" in API group \"iam.kubesphere.io\" at the global scope`
	if !strings.Contains(string(r.Body), want) {
		t.Errorf("%s", r.Body)
	}
	if d.info.Scope != exchange.ScopeGlobal || !d.info.IsResourceRequest || d.info.Name != "bob" || d.user != wanda {
		t.Errorf("%+v", d.info)
	}
}

func TestNamespaces(t *testing.T) {
	s, _ := platform()
	for _, c := range []struct {
		caller *exchange.User
		verb   string
		want   string
	}{
		{wanda, "list", `{"all":false,"names":["ns1"]}`}, {root, "list", `{"all":true,"names":[]}`}, {wanda, "delete", `{"all":false,"names":[]}`},
	} {
		r := s.Do(t.Context(), ask(c.caller, "", hostabi.TagOperation, "namespaces", hostabi.TagVerb, c.verb, hostabi.TagResource, "pods"))
		if string(r.Body) != c.want {
			t.Errorf("%s %s: %v %s %s", c.caller.Name, c.verb, r.Code, r.Err, r.Body)
		}
	}
}

// TestNobodyGrantsWhatTheyDoNotHave: what is missing is told, piece by piece.
func TestNobodyGrantsWhatTheyDoNotHave(t *testing.T) {
	s, d := platform()
	const pods, all = `[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]`, `[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]`
	missing := func(caller *exchange.User, body string, args ...any) string {
		r := s.Do(context.Background(), ask(caller, body, append([]any{hostabi.TagOperation, "missing"}, args...)...))
		if r.Code != hostabi.OK {
			return r.Code.String()
		}
		return string(r.Body)
	}
	const none = `{"count":0,"missing":[]}`
	for _, c := range []struct {
		name   string
		caller *exchange.User
		body   string
		args   []any
		want   string
	}{
		{"held", wanda, pods, []any{hostabi.TagWorkspace, "ws1"}, none},
		{"held in the namespace", wanda, pods, []any{hostabi.TagNamespace, "ns1"}, none},
		{"not in another workspace", wanda, pods, []any{hostabi.TagWorkspace, "ws2"}, `{"count":1,"missing":` + pods + `}`},
		{"not in the cluster", wanda, pods, nil, `{"count":1,"missing":` + pods + `}`},
		{"not all", wanda, all, []any{hostabi.TagWorkspace, "ws1"}, `{"count":1,"missing":` + all + `}`},
		{"some of a rule", wanda, `[{"verbs":["get","delete"],"apiGroups":[""],"resources":["pods"]}]`, []any{hostabi.TagWorkspace, "ws1"}, `{"count":1,"missing":[{"verbs":["delete"],"apiGroups":[""],"resources":["pods"]}]}`},
		{"everything", root, all, []any{hostabi.TagScope, "Global"}, none},
		{"no rules", wanda, `[]`, nil, none},
		{"null", wanda, `null`, nil, none},
		{"a role", wanda, "", []any{hostabi.TagKind, "WorkspaceRole", hostabi.TagName, "ws1-admin", hostabi.TagWorkspace, "ws1"}, none},
		{"a role elsewhere", &exchange.User{Name: "nick"}, "", []any{hostabi.TagKind, "WorkspaceRole", hostabi.TagName, "nobodys", hostabi.TagWorkspace, "ws1"}, "not found"},
		{"nobody", nil, pods, []any{hostabi.TagWorkspace, "ws1"}, `{"count":1,"missing":` + pods + `}`},
		{"no list", wanda, `{}`, nil, "bad argument"},
		{"no rule", wanda, `[1]`, nil, "bad argument"},
		{"no words", wanda, `[{"verbs":"get"}]`, nil, "bad argument"},
		{"no text", wanda, `[{"verbs":[1]}]`, nil, "bad argument"},
		{"too many", wanda, `[` + strings.Repeat(`{},`, maxRules) + `{}]`, nil, "too large"},
		{"too many words", wanda, `[{"verbs":[` + strings.Repeat(`"a",`, maxWords) + `"a"]}]`, nil, "too large"},
	} {
		if got := missing(c.caller, c.body, c.args...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	d.synced = errors.New("roles: dial 10.0.0.1")
	r := s.Do(t.Context(), ask(wanda, "", hostabi.TagOperation, "missing", hostabi.TagKind, "WorkspaceRole", hostabi.TagName, "ws1-admin", hostabi.TagWorkspace, "ws1"))
	if r.Code != hostabi.Unavailable || strings.Contains(r.Err, "10.0.0.1") {
		t.Errorf("roles that have not been read: %v %s", r.Code, r.Err)
	}
}

// TestRulesAreReadAsKubernetesReadsThem: Verbs are not verbs, so they cannot hide what is stored.
func TestRulesAreReadAsKubernetesReadsThem(t *testing.T) {
	rules, err := parseRules([]byte(`[{"verbs":["*"],"Verbs":["get"],"VERBS":[],"apiGroups":["a"],"resources":["b"],"resourceNames":null,"nonResourceURLs":["/x"]}]`))
	if err != nil || len(rules) != 1 || !slices.Equal(rules[0].Verbs, []string{"*"}) || rules[0].ResourceNames != nil || !slices.Equal(rules[0].NonResourceURLs, []string{"/x"}) {
		t.Errorf("%+v, %v", rules, err)
	}
}

func TestAccessIsACapability(t *testing.T) {
	s, _ := platform()
	call := ask(root, "", hostabi.TagOperation, "may", hostabi.TagVerb, "get", hostabi.TagResource, "pods")
	for _, grants := range []*service.Grants{nil, {Accounts: true}} {
		if call.Grants = grants; s.Do(t.Context(), call).Code != hostabi.Denied {
			t.Error("a module that was not granted access has it")
		}
	}
	if r := s.Do(t.Context(), ask(root, "", hostabi.TagOperation, "grant")); r.Code != hostabi.BadArgument {
		t.Errorf("%v", r.Code)
	}
	small := ask(root, "", hostabi.TagOperation, "may", hostabi.TagVerb, "get", hostabi.TagResource, "pods")
	small.MaxBytes = 5
	if r := s.Do(t.Context(), small); r.Code != hostabi.TooLarge {
		t.Errorf("%v", r.Code)
	}
}

// FuzzDo: no record and no rules break it, and what it answers is JSON.
func FuzzDo(f *testing.F) {
	f.Add([]byte(hostabi.Record{}.Append(hostabi.TagOperation, "may").Append(hostabi.TagVerb, "get").Append(hostabi.TagPath, "/x")), "")
	f.Add([]byte(hostabi.Record{}.Append(hostabi.TagOperation, "missing").Append(hostabi.TagScope, "Global")), `[{"verbs":["get",null],"apiGroups":[[]]}]`)
	f.Add([]byte(hostabi.Record{}.Append(hostabi.TagOperation, "namespaces").Append(hostabi.TagUser, "nick").Append(hostabi.TagVerb, "*").Append(hostabi.TagResource, "pods")), "")
	s, _ := platform()
	f.Fuzz(func(t *testing.T, record []byte, body string) {
		if hostabi.Record(record).Validate() != nil {
			return
		}
		call := ask(wanda, body)
		call.Record = record
		if r := s.Do(t.Context(), call); r.Code == hostabi.OK && !json.Valid(r.Body) {
			t.Fatalf("%q", r.Body)
		}
	})
}
