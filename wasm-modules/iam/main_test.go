package main

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/moduletest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/module/service/query"
)

// bench is the module in front of a world.
type bench struct {
	m     *moduletest.Module
	world *world
	wasm  bool // which of the two is asked
	log   []string
}

// scenarios are run natively and as WebAssembly, each in a world of its own; both must answer alike.
var scenarios = []struct {
	name string
	run  func(t *testing.T, b *bench)
}{
	{"users", usersAre},
	{"many users", manyUsersAre},
	{"no plain password", passwords},
	{"create with a role", createWithRole},
	{"update", updates},
	{"delete", deletes},
	{"filters", filters},
	{"members", members},
	{"all or none", allOrNone},
	{"shared bindings", shared},
	{"escalation", escalations},
	{"roles", rolesAre},
	{"aggregation", aggregations},
	{"lookalikes", lookalikes},
	{"workspaces stay apart", apart},
	{"groups", groupsAre},
	{"group members", groupMembers},
	{"bindings", bindingsAre},
	{"devops", devops},
	{"bad bodies", badBodies},
}

// TestIAM compiles the module once for all that follows.
func TestIAM(t *testing.T) {
	b := &bench{}
	grants := service.Grants{Access: true, Accounts: true, Kube: []service.KubeGrant{{Groups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}}
	services := module.Services{Kube: kubeService{b}, Query: query.New(kubeService{b}), Access: accessService{}, Accounts: accountsService{b}}
	b.m = moduletest.New(t, services, module.Policy{Limits: module.DefaultLimits(), Grants: grants})
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) { b.both(t, s.run) })
	}
}

// both runs a scenario both ways and holds what was answered against each other.
func (b *bench) both(t *testing.T, run func(t *testing.T, b *bench)) {
	var logs [2][]string
	for i, name := range []string{"native", "wasm"} {
		b.world, b.wasm, b.log = seeded(), i == 1, nil
		t.Run(name, func(t *testing.T) { run(t, b) })
		logs[i] = b.log
	}
	for i := range min(len(logs[0]), len(logs[1])) {
		if logs[0][i] != logs[1][i] {
			t.Errorf("native and wasm differ\nnative: %s\nwasm:   %s", logs[0][i], logs[1][i])
		}
	}
	if len(logs[0]) != len(logs[1]) {
		t.Errorf("natively there were %d answers, as wasm %d", len(logs[0]), len(logs[1]))
	}
}

// now in answers is another one each time; the world's own times are of January.
var today = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// ask sends a request and expects a status.
func (b *bench) ask(t *testing.T, user, line, body string, code int) string {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	r := moduletest.Request{
		Method: method, URI: "/kapis/iam.kubesphere.io/v1alpha2" + path, User: &exchange.User{Name: user}, Body: body,
		Headers: map[string]string{"Content-Type": "application/json"},
	}
	a := b.m.Native
	if b.wasm {
		a = b.m.Wasm
	}
	got := a(r)
	b.log = append(b.log, line+" "+today.ReplaceAllStringFunc(got.Headers+got.Body, func(s string) string {
		if strings.HasPrefix(s, "2026-01-01T00:") {
			return s
		}
		return "TIME"
	}))
	if got.Code != code {
		t.Errorf("%s as %s: got %d %s, want %d", line, user, got.Code, got.Body, code)
	}
	if strings.Contains(got.Body, secret) || strings.Contains(got.Headers, secret) {
		t.Errorf("%s as %s shows a password's hash: %s", line, user, got.Body)
	}
	if code >= 400 && !strings.Contains(got.Body, `"kind":"Status"`) {
		t.Errorf("%s as %s: the error is no Status: %s", line, user, got.Body)
	}
	if !strings.Contains(got.Headers, "application/json") {
		t.Errorf("%s as %s: no JSON: %s", line, user, got.Headers)
	}
	return got.Body
}

// object is ask for an object.
func (b *bench) object(t *testing.T, user, line, body string) object {
	t.Helper()
	var o object
	text := b.ask(t, user, line, body, http.StatusOK)
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%s: %v in %s", line, err, text)
	}
	return o
}

// list is ask for a list: the names of its objects in their order, and how many there are in all.
func (b *bench) list(t *testing.T, user, line string) (names string, total int) {
	t.Helper()
	o := b.object(t, user, line, "")
	var all []string
	for _, item := range o.objects("items") {
		all = append(all, item.name())
	}
	n, ok := o["totalItems"].(float64)
	if !ok {
		t.Errorf("%s: no totalItems in %v", line, o)
	}
	return strings.Join(all, " "), int(n)
}

// array is ask for a plain array: the names of its objects.
func (b *bench) array(t *testing.T, user, line, body string) string {
	t.Helper()
	var all []object
	text := b.ask(t, user, line, body, http.StatusOK)
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%s: %v in %s", line, err, text)
	}
	var names []string
	for _, o := range all {
		names = append(names, o.name())
	}
	return strings.Join(names, " ")
}

type entry[V any] struct {
	key   string
	value V
}

// inOrder are a map's entries by key: both ways of asking have to see the same order.
func inOrder[V any](m map[string]V) []entry[V] {
	var all []entry[V]
	for _, key := range slices.Sorted(maps.Keys(m)) {
		all = append(all, entry[V]{key, m[key]})
	}
	return all
}

// says fails the test unless text contains want.
func says(t *testing.T, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("got %s, want %q in it", text, want)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// seeded is a world with a platform in it, much like the one of the development stack.
func seeded() *world {
	w := &world{objects: map[string][]object{}, failing: map[string]int{}}
	for _, name := range []string{"admin", "alice", "bob", "ursula", "boris", "otto", "carol"} {
		w.add(users, `{"metadata":{"name":"`+name+`"},"spec":{"email":"`+name+`@example.com","password":"`+hashed(name+"-secret")+`"},"status":{"state":"Active"}}`)
	}
	w.add(globalRoles, `{"metadata":{"name":"platform-admin"},"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]},{"verbs":["*"],"nonResourceURLs":["*"]}]}`)
	w.add(globalRoles, `{"metadata":{"name":"nobody"}}`)
	w.add(globalRoles, `{"metadata":{"name":"users-manager"},"rules":[{"verbs":["*"],"apiGroups":["iam.kubesphere.io"],"resources":["users"]}]}`)
	w.add(clusterRoles, `{"metadata":{"name":"view"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`)
	w.add(clusterRoles, `{"metadata":{"name":"admin"},"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}`)
	for _, ws := range []string{"demo", "other"} {
		w.add(workspaces, `{"metadata":{"name":"`+ws+`"}}`)
		label := `"labels":{"kubesphere.io/workspace":"` + ws + `"}`
		w.add(workspaceRoles, `{"metadata":{"name":"`+ws+`-admin",`+label+`},"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}`)
		w.add(workspaceRoles, `{"metadata":{"name":"`+ws+`-viewer",`+label+`},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`)
		w.add(groups, `{"metadata":{"name":"`+ws+`-devs",`+label+`}}`)
	}
	w.add(namespaces, `{"metadata":{"name":"demo-shop","labels":{"kubesphere.io/workspace":"demo"}}}`)
	w.add(namespaces, `{"metadata":{"name":"kube-system"}}`)
	w.add(roles, `{"metadata":{"name":"viewer","namespace":"demo-shop"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`)
	w.add(roles, `{"metadata":{"name":"operator","namespace":"demo-shop"},"rules":[{"verbs":["get","delete"],"apiGroups":[""],"resources":["pods"]}]}`)
	w.bound(global, "", "platform-admin", "admin")
	w.bound(workspace, "demo", "demo-admin", "alice")
	w.bound(namespace, "demo-shop", "viewer", "bob")
	return w
}

// bound gives a user a role.
func (w *world) bound(l *level, where, role, user string) {
	p := place{l, where}
	w.store(l.bindings.resource, p.bindingFor(l.roles, role, "User", user))
}
