package visible

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/gateway/status"
)

func TestMain(m *testing.M) {
	// Of fasthttp's own: the clock of the Date header.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// grant lets somebody do something somewhere: in a namespace, in a workspace, with an object, or, with none of them, all.
type grant struct{ user, verbs, resource, namespace, workspace, name string }

// policy is a scripted authorizer.
type policy struct {
	mu         sync.Mutex
	grants     []grant
	workspaces map[string]string // of namespaces
	changed    chan struct{}
	err        error
}

func newPolicy(grants ...grant) *policy {
	return &policy{grants: grants, workspaces: map[string]string{}, changed: make(chan struct{})}
}

// set changes the rights.
func (p *policy) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

func (g *grant) covers(u *exchange.User, info *exchange.RequestInfo) bool {
	may := false
	for verb := range strings.SplitSeq(g.verbs, ",") {
		may = may || verb == info.Verb
	}
	return may && g.user == u.Name && (g.resource == info.Resource || g.resource == "*") && (g.name == "" || g.name == info.Name)
}

func (p *policy) Authorize(u *exchange.User, info *exchange.RequestInfo) exchange.Decision {
	p.mu.Lock()
	defer p.mu.Unlock()
	workspace := info.Workspace
	if info.Scope == exchange.ScopeNamespace {
		workspace = p.workspaces[info.Namespace]
	}
	for i := range p.grants {
		g := &p.grants[i]
		if g.covers(u, info) && (g.namespace == "" || g.namespace == info.Namespace) && (g.workspace == "" || g.workspace == workspace) {
			return exchange.Decision{Allowed: true}
		}
	}
	return exchange.Decision{}
}

func (p *policy) Namespaces(u *exchange.User, info *exchange.RequestInfo) (names []string, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.grants {
		g := &p.grants[i]
		switch {
		case !g.covers(u, info):
		case g.namespace != "":
			names = append(names, g.namespace)
		case g.workspace != "":
			for ns, w := range p.workspaces {
				if w == g.workspace {
					names = append(names, ns)
				}
			}
		default:
			return nil, true
		}
	}
	slices.Sort(names)
	return slices.Compact(names), false
}

func (p *policy) Workspaces(u *exchange.User, info *exchange.RequestInfo) (names []string, all bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.grants {
		if g := &p.grants[i]; g.covers(u, info) && g.workspace != "" {
			names = append(names, g.workspace)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), false
}

func (p *policy) names(u *exchange.User, info *exchange.RequestInfo) (names []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.grants {
		if g := &p.grants[i]; g.user == u.Name && g.resource == info.Resource && g.name != "" {
			names = append(names, g.name)
		}
	}
	return names
}

func (p *policy) workspace(ns string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.workspaces[ns]
}

func (p *policy) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

func (p *policy) Synced() error { return p.err }

// gateway serves the stage behind the real listener. Whoever asks says so in the header User.
type gateway struct {
	*cluster
	*policy
	stage *Stage
	url   string
	http  *http.Client
	srv   *listener.Server
}

func newGateway(t *testing.T, mode Mode, grants ...grant) *gateway {
	t.Helper()
	g := &gateway{cluster: newCluster(), policy: newPolicy(grants...)}
	g.stage = New(Options{
		Authorizer: g.policy, Names: g.names, Workspace: g.workspace, Upstream: g.cluster.Serve, Mode: mode, Shared: NewShared(nil),
	})
	srv, err := listener.New(listener.Options{Serve: func(x *exchange.Exchange) {
		if err := requestinfo.Fill(x); err != nil {
			t.Error(err)
		}
		x.User = &exchange.User{Name: string(x.HTTP.Request.Header.Peek("User"))}
		g.stage.Serve(x, func(x *exchange.Exchange) { status.Write(x, status.Forbidden, "no") })
	}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	g.srv, g.url, g.http = srv, "http://"+l.Addr().String(), &http.Client{Transport: transport}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return g
}

// open asks as ann.
func (g *gateway) open(ctx context.Context, t *testing.T, path, accept string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("User", "ann")
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	resp, err := g.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// get is the whole answer.
func (g *gateway) get(t *testing.T, path, accept string) (int, string) {
	t.Helper()
	resp := g.open(t.Context(), t, path, accept)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v after %s", path, err, b)
	}
	return resp.StatusCode, string(b)
}

// watched is an open watch.
type watched struct {
	*bufio.Scanner
	t *testing.T
}

// watch opens one; it ends with the test.
func (g *gateway) watch(t *testing.T, path, accept string) *watched {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	resp := g.open(ctx, t, path, accept)
	t.Cleanup(func() { cancel(); _ = resp.Body.Close() })
	if resp.StatusCode != 200 {
		b, _ := io.ReadAll(resp.Body)
		t.Fatalf("%s: %d %s", path, resp.StatusCode, b)
	}
	s := bufio.NewScanner(resp.Body)
	s.Buffer(nil, 1<<20)
	return &watched{s, t}
}

// next is the next event that is no bookmark: its type and its text; empty at the end.
func (w *watched) next() (kind, text string) {
	w.t.Helper()
	for w.Scan() {
		if kind = string(str(member(w.Bytes(), "type"))); kind != "BOOKMARK" {
			return kind, w.Text()
		}
	}
	if err := w.Err(); err != nil {
		w.t.Fatal(err)
	}
	return "", ""
}

// passing is a list of which everything may be seen.
func passing() (*Stage, *exchange.Exchange) {
	s := New(Options{Authorizer: newPolicy(grant{user: "ann", verbs: "list", resource: "pods"}), Mode: On, Shared: NewShared(nil)})
	x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx), User: &exchange.User{Name: "ann"}}
	x.Info = exchange.RequestInfo{
		Path: "/api/v1/pods", Verb: "list", APIPrefix: "api", APIVersion: "v1", Resource: "pods", IsResourceRequest: true, IsKubernetesRequest: true,
	}
	return s, x
}

// forget is what another gateway knows of what this one has listed: nothing.
func (g *gateway) forget() {
	g.stage.eras.mu.Lock()
	defer g.stage.eras.mu.Unlock()
	clear(g.stage.eras.all)
}
