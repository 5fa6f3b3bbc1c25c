package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lines gathers a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs stores that follow s until the test ends.
func start(t *testing.T, s *server) (*Stores, *lines) {
	t.Helper()
	log := new(lines)
	p, err := New(Options{Config: s.config(), Log: zerolog.New(log)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := p.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { stop(); <-ended })
	return p, log
}

func synced(t *testing.T, p *Stores) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := p.WaitSynced(ctx); err != nil {
		t.Fatal(err)
	}
}

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("still not so: %s", what)
		}
	}
}

// may says whether a user may get a resource in a namespace.
func may(p *Stores, who, resource, namespace string) bool {
	info := exchange.RequestInfo{Verb: "get", Resource: resource, Namespace: namespace, IsResourceRequest: true}
	if namespace != "" {
		info.Scope = exchange.ScopeNamespace
	}
	return authz.NewAuthorizer("", p).Authorize(&exchange.User{Name: who, Groups: []string{"everybody"}}, &info).Allowed
}

const pods = `"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]`

func to(kind, role, subjectKind, subject string) string {
	return fmt.Sprintf(`"roleRef":{"apiGroup":"x","kind":%q,"name":%q},"subjects":[{"kind":%q,"name":%q}]`, kind, role, subjectKind, subject)
}

// platform has a user and a role of every kind.
func platform(s *server) {
	s.put(path("users"), "alice", "", `"spec":{"email":"a@b","groups":["devs"],"password":"$2a$10$89Dk89JNvOFFsBLn3lelz.f7VXSU8teQzvctvNphSQODXXuZ2KCsG"},"status":{"state":"Active"}`)
	s.put(path("globalroles"), "reader", "", pods)
	s.put(path("workspaceroles"), "ws1-reader", "kubesphere.io/workspace=ws1", pods)
	s.put(path("clusterroles"), "reader", "", `"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["nodes"]}]`)
	s.put(path("roles"), "ns9/reader", "", pods)
	s.put(path("globalrolebindings"), "g", "", to("GlobalRole", "reader", "User", "gina"))
	s.put(path("workspacerolebindings"), "w", "kubesphere.io/workspace=ws1", to("WorkspaceRole", "ws1-reader", "User", "wanda"))
	s.put(path("clusterrolebindings"), "c", "", to("ClusterRole", "reader", "Group", "everybody"))
	s.put(path("rolebindings"), "ns9/r", "", to("Role", "reader", "User", "nick"))
	s.put(path("namespaces"), "ns1", "kubesphere.io/workspace=ws1", `"spec":{"finalizers":["kubernetes"]}`)
	s.put(path("namespaces"), "kube-system", "", "")
}

func TestEverythingIsReadAndFollowed(t *testing.T) {
	s := newServer(t)
	platform(s)
	p, _ := start(t, s)
	synced(t, p)
	if err := p.Synced(); err != nil {
		t.Error(err)
	}
	a := p.Account("alice")
	if a == nil || a.State != account.Active || a.UID != "uid-alice" || !a.Hashed() || len(a.Groups) != 1 || a.Groups[0] != "devs" {
		t.Errorf("account %+v", a)
	}
	if p.Account("bob") != nil {
		t.Error("there is a bob")
	}
	for _, c := range []struct {
		who, resource, namespace string
		want                     bool
	}{
		{"gina", "pods", "kube-system", true},
		{"wanda", "pods", "ns1", true},
		{"wanda", "pods", "kube-system", false},
		{"nick", "pods", "ns9", true},
		{"nick", "pods", "ns1", false},
		{"anybody", "nodes", "", true},
		{"anybody", "pods", "", false},
	} {
		if got := may(p, c.who, c.resource, c.namespace); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}

	s.put(path("rolebindings"), "ns1/new", "", to("ClusterRole", "reader", "User", "nora"))
	s.put(path("clusterroles"), "reader", "", strings.ReplaceAll(pods, "pods", "secrets"))
	await(t, "a changed role and a new binding count", func() bool { return may(p, "nora", "secrets", "ns1") && !may(p, "anybody", "nodes", "") })
	s.put(path("users"), "alice", "", `"spec":{"groups":["devs"],"password":"$2a$10$89Dk89JNvOFFsBLn3lelz.f7VXSU8teQzvctvNphSQODXXuZ2KCsG"},"status":{"state":"Disabled"}`)
	await(t, "alice is disabled", func() bool { return p.Account("alice").State == account.Disabled })
	s.put(path("namespaces"), "ns1", "kubesphere.io/workspace=ws2", "")
	await(t, "the namespace has left the workspace", func() bool { return !may(p, "wanda", "pods", "ns1") })
	changed := p.Changed()
	s.remove(path("globalrolebindings"), "g")
	await(t, "a removed binding does not count", func() bool { return !may(p, "gina", "pods", "kube-system") })
	<-changed
	s.remove(path("users"), "alice")
	await(t, "alice is gone", func() bool { return p.Account("alice") == nil })
	if n := s.requests("list "); n != 10 {
		t.Errorf("%d lists, want one for each kind", n)
	}
	for kind, want := range map[string]string{"list ": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json", "watch ": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"} {
		if got := s.accepts[kind+"/api/v1/namespaces"]; got != want {
			t.Errorf("%saccepts %q", kind, got)
		}
	}
}

func TestMissingKindsAreNamedAndFoundLater(t *testing.T) {
	s := newServer(t)
	platform(s)
	s.do(func() { s.missing[path("users")], s.missing[path("globalroles")] = true, true })
	p, log := start(t, s)
	await(t, "all others are read", func() bool {
		err := p.Synced()
		return err != nil && strings.Count(err.Error(), "\n") == 1 && may(p, "wanda", "pods", "ns1")
	})
	for _, want := range []string{"users have not been read", "globalroles have not been read", "404", "could not find"} {
		if got := p.Synced().Error(); !strings.Contains(got, want) {
			t.Errorf("%q does not say %q", got, want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := p.WaitSynced(ctx); err == nil || !strings.Contains(err.Error(), "users have not been read") {
		t.Errorf("waiting: %v", err)
	}
	s.do(func() { clear(s.missing) })
	synced(t, p)
	if p.Account("alice") == nil || !may(p, "gina", "pods", "kube-system") {
		t.Error("not there after the kinds have been installed")
	}
	if n := strings.Count(log.String(), `"store":"users"`); n != 2 {
		t.Errorf("users are in the log %d times, want once when it failed and once when it worked:\n%s", n, log)
	}
}

func TestServerThatIsDown(t *testing.T) {
	s := newServer(t)
	platform(s)
	s.do(func() { s.down = true })
	p, _ := start(t, s)
	await(t, "every kind has failed", func() bool { return strings.Count(p.Synced().Error(), "503: not now") == 10 })
	if p.Account("alice") != nil || may(p, "gina", "pods", "") {
		t.Error("something is known already")
	}
	s.do(func() { s.down = false })
	synced(t, p)
	await(t, "users are watched", func() bool { return s.requests("watch "+path("users")) >= 1 })

	s.do(func() { s.down = true; s.cut++ })
	await(t, "the watches are refused", func() bool { return s.requests("watch "+path("users")) >= 2 })
	if err := p.Synced(); err != nil || p.Account("alice") == nil {
		t.Errorf("what was read is not in force any more: %v", err)
	}
	s.do(func() { s.down = false })
	s.put(path("users"), "bob", "", `"status":{"state":"Active"}`)
	await(t, "bob is there", func() bool { return p.Account("bob") != nil })
}

func TestWatchesGoOnWhereTheyWere(t *testing.T) {
	s := newServer(t)
	platform(s)
	p, _ := start(t, s)
	synced(t, p)
	await(t, "users are watched", func() bool { return s.requests("watch "+path("users")) == 1 })
	s.do(func() { s.cut++ })
	s.put(path("users"), "bob", "", `"status":{"state":"Active"}`)
	await(t, "bob is there", func() bool { return p.Account("bob") != nil })
	if n := s.requests("list " + path("users")); n != 1 {
		t.Errorf("users were listed %d times", n)
	}
}

func TestForgottenVersionsAreListedAgain(t *testing.T) {
	s := newServer(t)
	platform(s)
	p, _ := start(t, s)
	synced(t, p)
	await(t, "users are watched", func() bool { return s.requests("watch "+path("users")) == 1 })
	s.do(func() { // a removal that no watch will tell of
		s.version += 10
		s.oldest = s.version
		delete(s.objects[path("users")], "alice")
	})
	await(t, "alice is gone", func() bool { return p.Account("alice") == nil })
	if n := s.requests("list " + path("users")); n < 2 {
		t.Errorf("users were listed %d times", n)
	}
}

func TestLongListsComeInPages(t *testing.T) {
	s := newServer(t)
	for i := range 1201 {
		s.put(path("users"), fmt.Sprintf("u%04d", i), "", `"status":{"state":"Active"}`)
	}
	p, _ := start(t, s)
	synced(t, p)
	for _, i := range []int{0, 499, 500, 999, 1000, 1200} {
		if p.Account(fmt.Sprintf("u%04d", i)) == nil {
			t.Errorf("user %d is missing", i)
		}
	}
	if n := s.requests("list " + path("users")); n != 3 {
		t.Errorf("%d pages", n)
	}
}

func TestUnreadableObjectsAllowNothing(t *testing.T) {
	s := newServer(t)
	platform(s)
	s.put(path("clusterrolebindings"), "odd", "", `"roleRef":"cluster-admin","subjects":[]`)
	p, log := start(t, s)
	synced(t, p)
	if !may(p, "anybody", "nodes", "") {
		t.Error("one unreadable object hides the others")
	}
	s.put(path("clusterrolebindings"), "c", "", `"roleRef":{"kind":"ClusterRole","name":"reader"},"subjects":"everybody"`)
	await(t, "the binding does not count any more", func() bool { return !may(p, "anybody", "nodes", "") })
	for _, want := range []string{`"object":"odd"`, `"object":"c"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log lacks %s:\n%s", want, log)
		}
	}
}

func TestRegoIsNotEvaluatedAndSaid(t *testing.T) {
	s := newServer(t)
	p, log := start(t, s)
	s.do(func() {
		s.version++
		s.objects[path("globalroles")] = map[string]string{"r": `{"metadata":{"name":"r","annotations":{"iam.kubesphere.io/rego-override":"package authz\ndefault allow = true"}},` + pods + `}`}
		s.objects[path("globalrolebindings")] = map[string]string{"b": `{"metadata":{"name":"b"},` + to("GlobalRole", "r", "User", "rita") + `}`}
		s.version += 10
		s.oldest = s.version
	})
	await(t, "the role's rules count", func() bool { return may(p, "rita", "pods", "x") })
	if may(p, "rita", "secrets", "x") {
		t.Error("the policy counts")
	}
	if n := p.policies(); n != 1 {
		t.Errorf("%d roles have a policy", n)
	}
	if !strings.Contains(log.String(), "rego-override is not evaluated") {
		t.Errorf("log says nothing:\n%s", log)
	}
}

func TestManyChangesMakeFewIndexes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Options{Config: &rest.Config{Host: "http://localhost"}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() { defer close(ended); p.publish(ctx) }()
		s := spaces{keep[space](p.changed), p.rules}
		for i := range 10_000 { // over ten seconds
			s.set(key{Name: fmt.Sprint(i)}, &space{name: fmt.Sprint(i), workspace: "w"})
			time.Sleep(time.Millisecond)
		}
		if n := p.snapshots.Load(); n < 10 || n > 10_000/50 {
			t.Errorf("%d snapshots", n)
		}
		time.Sleep(gather)
		synctest.Wait()
		if got := p.Index().Workspace("9999"); got != "w" {
			t.Errorf("the last change is not visible: %q", got)
		}
		n, changed := p.snapshots.Load(), p.Changed()
		s.set(key{Name: "9999"}, &space{name: "9999", workspace: "w"}) // nothing new
		time.Sleep(time.Second)
		if p.snapshots.Load() != n {
			t.Error("an update without a change made a new index")
		}
		s.remove(key{Name: "9999"})
		<-changed
		if got := p.Index().Workspace("9999"); got != "" {
			t.Errorf("a namespace that is gone is in %q", got)
		}
		stop()
		<-ended
	})
}

// Roles have the rules of those that they name, as these are now.
func TestRolesIncludeOthers(t *testing.T) {
	s := newServer(t)
	names := func(list string) string {
		return `"metadata":{"name":"whole","annotations":{"iam.kubesphere.io/aggregation-roles":"` + list + `"}}`
	}
	put := func(list string) {
		s.do(func() {
			s.version++
			text := strings.Replace(`{`+names(list)+`,`+pods+`}`, `"metadata":{`, fmt.Sprintf(`"metadata":{"resourceVersion":"%d",`, s.version), 1)
			if s.objects[path("globalroles")] == nil {
				s.objects[path("globalroles")] = map[string]string{}
			}
			s.objects[path("globalroles")]["whole"] = text
			s.log = append(s.log, change{s.version, path("globalroles"), "MODIFIED", text})
		})
	}
	put(`[\"part\",\"missing\"]`)
	s.put(path("globalroles"), "part", "", strings.ReplaceAll(pods, "pods", "secrets"))
	s.put(path("globalrolebindings"), "b", "", to("GlobalRole", "whole", "User", "gina"))
	p, log := start(t, s)
	synced(t, p)
	if !may(p, "gina", "pods", "x") || !may(p, "gina", "secrets", "x") {
		t.Error("a part is missing")
	}
	s.put(path("globalroles"), "part", "", strings.ReplaceAll(pods, "pods", "events"))
	await(t, "the part has changed", func() bool { return may(p, "gina", "events", "x") && !may(p, "gina", "secrets", "x") })
	put(`not a list`)
	await(t, "the part is none any more", func() bool { return !may(p, "gina", "events", "x") && may(p, "gina", "pods", "x") })
	if !strings.Contains(log.String(), "is no list of names") {
		t.Errorf("log says nothing:\n%s", log)
	}
}

func TestMetrics(t *testing.T) {
	s := newServer(t)
	platform(s)
	p, _ := start(t, s)
	synced(t, p)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(p)
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP postern_kube_store_objects Objects held in memory, by kind.
# TYPE postern_kube_store_objects gauge
postern_kube_store_objects{store="clusterrolebindings"} 1
postern_kube_store_objects{store="clusterroles"} 1
postern_kube_store_objects{store="globalrolebindings"} 1
postern_kube_store_objects{store="globalroles"} 1
postern_kube_store_objects{store="namespaces"} 2
postern_kube_store_objects{store="rolebindings"} 1
postern_kube_store_objects{store="roles"} 1
postern_kube_store_objects{store="users"} 1
postern_kube_store_objects{store="workspacerolebindings"} 1
postern_kube_store_objects{store="workspaceroles"} 1
`), "postern_kube_store_objects"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for _, cfg := range []*rest.Config{{Host: "http://%zz"}, {Host: "https://x", TLSClientConfig: rest.TLSClientConfig{CAFile: "/does/not/exist"}}} {
		if _, err := New(Options{Config: cfg}); err == nil {
			t.Errorf("%s is accepted", cfg.Host)
		}
	}
}

// TestPlainPasswords are told once for each version, and not kept.
func TestPlainPasswords(t *testing.T) {
	s := newServer(t)
	s.put(path("users"), "alice", "", `"spec":{"password":"typed"}`)
	told := make(chan string, 10)
	p, err := New(Options{Config: s.config(), Log: zerolog.Nop(), Plain: func(name, version, password string) { told <- name + " " + version + " " + password }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = p.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	if got := <-told; got != "alice 2 typed" {
		t.Errorf("told %q", got)
	}
	<-p.UsersRead()
	await(t, "the account is known", func() bool { return p.Account("alice") != nil })
	if a := p.Account("alice"); a.PasswordHash != "" || a.State != "" || p.Users() != 1 {
		t.Errorf("account %+v", a)
	}
	s.put(path("users"), "alice", "", `"spec":{"password":"typed again"}`)
	if got := <-told; got != "alice 3 typed again" {
		t.Errorf("told %q", got)
	}
}

// TestAwait: who has written waits until the stores go by it.
func TestAwait(t *testing.T) {
	s := newServer(t)
	platform(s)
	p, _ := start(t, s)
	synced(t, p)
	const iamGroup, rbacGroup = "iam.kubesphere.io", "rbac.authorization.k8s.io"
	for i := range 5 {
		name := fmt.Sprint("new", i)
		user := s.put(path("users"), name, "", `"status":{"state":"Active"}`)
		binding := s.put(path("rolebindings"), "ns9/"+name, "", to("Role", "reader", "User", name))
		if err := errors.Join(p.Await(t.Context(), iamGroup, "users", user), p.Await(t.Context(), rbacGroup, "rolebindings", binding)); err != nil {
			t.Fatal(err)
		}
		if p.Account(name) == nil || !may(p, name, "pods", "ns9") {
			t.Errorf("%s is not known, or may not do what was granted", name)
		}
	}
	for _, at := range [][3]string{{"apps", "deployments", "99999"}, {iamGroup, "users", "no version"}, {"", "namespaces", "1"}} {
		if err := p.Await(t.Context(), at[0], at[1], at[2]); err != nil {
			t.Errorf("%q: %v", at, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Await(ended, iamGroup, "users", "99999"); err == nil {
		t.Error("a version that never comes was reached")
	}
}

// Before users have been read nobody can say that one does not exist.
func TestUsersSynced(t *testing.T) {
	s := newServer(t)
	platform(s)
	s.do(func() { s.down = true })
	p, _ := start(t, s)
	await(t, "the failure is told", func() bool {
		err := p.UsersSynced()
		return err != nil && strings.Contains(err.Error(), "not now")
	})
	s.do(func() { s.down = false })
	await(t, "users are read", func() bool { return p.UsersSynced() == nil })
	if p.Account("alice") == nil {
		t.Error("users are said to have been read, and alice is missing")
	}
}
