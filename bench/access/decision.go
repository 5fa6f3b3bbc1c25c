package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/bench/rig"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/token"
)

// platform is stores that follow a server.
type platform struct {
	*kube.Stores
	server *server
	stop   func()
	took   time.Duration // from the start until everything was read
	heap   int64         // bytes of live memory that it holds
}

// follow reads a platform of a size into memory, as the gateway does.
func follow(ctx context.Context, s size) (*platform, error) {
	f, err := serve(s)
	if err != nil {
		return nil, err
	}
	p := &platform{server: f}
	before, start := live(), time.Now()
	if p.Stores, err = kube.New(kube.Options{Config: &rest.Config{Host: f.url}, Log: zerolog.Nop()}); err != nil {
		f.close()
		return nil, err
	}
	run, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(run) // it returns nil
	}()
	p.stop = func() {
		stop()
		f.close()
		<-ended
	}
	if err := p.WaitSynced(ctx); err != nil {
		p.stop()
		return nil, err
	}
	p.took = time.Since(start)
	p.heap = live() - before
	return p, nil
}

// live is how much memory is in use, when what is not has been taken back.
func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// questions are requests of the first user: one for each place in which something may decide.
func questions() map[string]exchange.RequestInfo {
	in := func(verb, resource, namespace string) exchange.RequestInfo {
		return exchange.RequestInfo{Path: "/api/v1/x", Verb: verb, Resource: resource, Namespace: namespace, Scope: exchange.ScopeNamespace, IsResourceRequest: true}
	}
	sub := in("get", "pods", namespaceName(0))
	sub.Subresource, sub.Name = "log", "p"
	return map[string]exchange.RequestInfo{
		"allowed by the platform":  {Path: "/kapis/x", Verb: "list", APIGroup: "iam.kubesphere.io", Resource: "users", Scope: exchange.ScopeGlobal, IsResourceRequest: true},
		"allowed by the workspace": in("list", "pods", namespaceName(0)),
		"a subresource":            sub,
		"denied in a namespace":    in("delete", "secrets", namespaceName(0)),
		"denied elsewhere":         in("list", "pods", "kube-system"),
		"a path":                   {Path: "/apis/apps/v1", Verb: "get"},
	}
}

// sizes are the bindings that decisions are measured with.
var sizes = []size{{users: 2, namespaces: 5, bindings: 10}, {users: 1000, namespaces: 500, bindings: 5000}, {users: 20_000, namespaces: 10_000, bindings: 100_000}}

var errDecision = errors.New("the decisions are not what the platform says: the benchmark measures nothing")

// decisions measures the slowest question of each size.
func decisions(ctx context.Context, _ options) (figures []rig.Figure, err error) {
	user := &exchange.User{Name: userName(0), Groups: []string{"a", "b", "c", "d", "e", "f", "g", "system:authenticated"}}
	for _, s := range sizes {
		p, err := follow(ctx, s)
		if err != nil {
			return nil, err
		}
		z := authz.NewAuthorizer(authz.RBAC, p.Stores)
		slowest, name, allocations := time.Duration(0), "", int64(0)
		for q, info := range questions() {
			if want := q == "a subresource" || len(q) > 7 && q[:7] == "allowed"; z.Authorize(user, &info).Allowed != want {
				p.stop()
				return nil, fmt.Errorf("%q with %d bindings: %w", q, s.bindings, errDecision)
			}
			r := testing.Benchmark(func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					z.Authorize(user, &info)
				}
			})
			allocations = max(allocations, r.AllocsPerOp())
			if d := time.Duration(float64(r.T) / float64(r.N)); d > slowest {
				slowest, name = d, q
			}
		}
		p.stop()
		figures = append(figures,
			rig.AtMost(2000, fmt.Sprintf("a decision, %d bindings", s.bindings), float64(slowest), "ns", "the slowest of 6 questions, 9 groups: "+name),
			rig.AtMost(0, fmt.Sprintf("allocations, %d bindings", s.bindings), float64(allocations), "", ""))
	}
	return figures, nil
}

// memory measures what a platform of 100,000 bindings holds.
func memory(ctx context.Context, _ options) ([]rig.Figure, error) {
	s := sizes[len(sizes)-1]
	without, err := follow(ctx, size{users: s.users, namespaces: s.namespaces})
	if err != nil {
		return nil, err
	}
	without.stop()
	p, err := follow(ctx, s)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	return []rig.Figure{
		rig.Told("a binding", float64(p.heap-without.heap)/float64(s.bindings), "B", fmt.Sprintf("%d bindings of one subject, with the index", s.bindings)),
		rig.Told("a user or namespace", float64(without.heap)/float64(s.users+s.namespaces), "B", fmt.Sprintf("%d users, %d namespaces", s.users, s.namespaces)),
		rig.Told("everything", float64(p.heap)/(1<<20), "MiB", "live memory"),
		rig.Told("reading everything", p.took.Seconds(), "s", "from a server in the same process, whose work counts"),
	}, nil
}

// updates measures how soon a change is in force.
func updates(ctx context.Context, _ options) ([]rig.Figure, error) {
	s := sizes[len(sizes)-1]
	p, err := follow(ctx, s)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	z := authz.NewAuthorizer(authz.RBAC, p.Stores)
	user := &exchange.User{Name: "scale-nobody"}
	info := questions()["denied elsewhere"]
	worst := time.Duration(0)
	for i := range 10 {
		o := object{of: roleBindings, namespace: "kube-system", name: "late", rest: `,"roleRef":{"kind":"ClusterRole","name":"scale-viewer"},"subjects":[{"kind":"User","name":"scale-nobody"}]`}
		if i%2 == 1 {
			o.rest = `,"roleRef":{"kind":"ClusterRole","name":"scale-viewer"},"subjects":[]`
		}
		start := time.Now()
		p.server.tell(o)
		for z.Authorize(user, &info).Allowed != (i%2 == 0) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			time.Sleep(time.Millisecond)
		}
		worst = max(worst, time.Since(start))
	}
	return []rig.Figure{
		rig.AtMost(1000, "a change is in force", float64(worst)/1e6, "ms", fmt.Sprintf("from the watch's event to the decision, %d bindings, the slowest of 10; 50 ms of it is waiting for other changes", s.bindings)),
		rig.Told("a binding changes", float64(change(s))/1e3, "µs", "of which the index, with a snapshot after each"),
	}, nil
}

// change is how long a draft takes to exchange a binding and make a snapshot.
func change(s size) time.Duration {
	d := authz.NewDraft()
	d.ClusterRoles().Set(&authz.Role{Name: "viewer", Rules: authz.NewRules([]authz.Rule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}})})
	binding := func(i int, role string) *authz.Binding {
		return &authz.Binding{Namespace: namespaceName(i % s.namespaces), Name: fmt.Sprint(i), RoleKind: "ClusterRole", Role: role, Subjects: []authz.Subject{{Kind: "User", Name: userName(i % s.users)}}}
	}
	for i := range s.bindings {
		d.RoleBindings().Set(binding(i, "viewer"))
	}
	d.Commit()
	i := 0
	r := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			d.RoleBindings().Set(binding(i%s.bindings, []string{"other", "viewer"}[i/s.bindings%2]))
			d.Commit()
			i++
		}
	})
	return time.Duration(float64(r.T) / float64(r.N))
}

// bearer measures who asks: a token that has been seen before.
func bearer(ctx context.Context, _ options) ([]rig.Figure, error) {
	p, err := follow(ctx, sizes[1])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	keys, err := token.New(token.Options{Secret: []byte("0123456789abcdef0123456789abcdef"), Issuer: "kubesphere"})
	if err != nil {
		return nil, err
	}
	claims := &token.Claims{Kind: token.Access, Username: userName(0)}
	claims.Expiry = jwt.NewNumericDate(time.Now().Add(time.Hour))
	text, err := keys.Sign(claims)
	if err != nil {
		return nil, err
	}
	ring := new(token.Ring)
	ring.Set(keys)
	stage := authn.New(authn.Options{Users: p.Stores, Keys: ring, MaxAge: 2 * time.Hour})
	passed, header := 0, "Bearer "+text
	r := testing.Benchmark(func(b *testing.B) {
		x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx)}
		b.ReportAllocs()
		for b.Loop() {
			x.HTTP.Request.Header.Set("Authorization", header)
			stage.Serve(x, func(*exchange.Exchange) { passed++ })
		}
	})
	if passed == 0 {
		return nil, fmt.Errorf("no token was taken: %w", errDecision)
	}
	return []rig.Figure{
		rig.AtMost(2000, "a bearer request's authentication", float64(r.T)/float64(r.N), "ns", fmt.Sprintf("a token that was seen before, %d users", sizes[1].users)),
		rig.AtMost(0, "allocations", float64(r.AllocsPerOp()), "", ""),
	}, nil
}
