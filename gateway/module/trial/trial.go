// Package trial is a throw-away gateway for authors of modules: one module in the gateway's own runtime, on loopback, for
// whoever asks, without a cluster. It has the listener, the request info, the dispatch to clusters and the host functions
// of the real one; authentication and authorization are left out.
package trial

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/core"
	"github.com/posternhq/postern/gateway/dispatch"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/requestinfo"
)

// drain is how long requests under way may take to end when a trial is closed.
const drain = 5 * time.Second

// Options say what a trial is made of.
type Options struct {
	// Address is a host:port to listen on; default 127.0.0.1:0, a free port.
	Address string
	// User is who asks, unless a request says otherwise with Impersonate-User and Impersonate-Group.
	User exchange.User
	// Backends are what the module may reach.
	Backends Backends
	// GrantAll grants what the module wants also when there is no backend for it: calls answer NotFound then.
	GrantAll bool
	// Settings are the module's, as JSON; nil is {}.
	Settings json.RawMessage
	// Log takes the log of runtime and guests.
	Log zerolog.Logger
}

// Gateway is a running trial. Close it.
type Gateway struct {
	opts     Options
	engine   *module.Engine
	services *services
	server   *listener.Server
	url      string
	ended    chan error
	stages   []exchange.Stage

	loading sync.Mutex // one load at a time
	serving atomic.Pointer[module.Generation]
	retired []*module.Generation // guarded by loading; not closed yet when they were retired
}

// New starts a trial without a module: Load brings one.
func New(ctx context.Context, opts Options) (*Gateway, error) {
	if opts.Address == "" {
		opts.Address = "127.0.0.1:0"
	}
	services, err := opts.Backends.services()
	if err != nil {
		return nil, err
	}
	g := &Gateway{opts: opts, services: services, ended: make(chan error, 1)}
	if g.engine, err = module.NewEngine(ctx, module.Options{Log: opts.Log}); err != nil {
		services.close()
		return nil, err
	}
	g.engine.SetServices(services.all)
	g.stages = []exchange.Stage{
		requestinfo.New(),
		asker{&g.opts.User},
		dispatch.New(dispatch.Options{HostCluster: "host"}),
		only{&g.serving},
		core.New(core.Options{Groups: g.Routes}),
	}
	if err := g.listen(ctx); err != nil {
		services.close()
		return nil, errors.Join(err, g.engine.Close(ctx))
	}
	return g, nil
}

func (g *Gateway) listen(ctx context.Context) error {
	handler := exchange.Handler(func(*exchange.Exchange) {})
	for i := len(g.stages) - 1; i >= 0; i-- {
		stage, next := g.stages[i], handler
		handler = func(x *exchange.Exchange) { stage.Serve(x, next) }
	}
	ln, err := listener.Listen(ctx, "tcp", g.opts.Address)
	if err != nil {
		return fmt.Errorf("cannot listen on %q: %w", g.opts.Address, err)
	}
	server, err := listener.New(listener.Options{Logger: g.opts.Log, Serve: handler})
	if err != nil {
		return errors.Join(fmt.Errorf("cannot make the listener: %w", err), ln.Close())
	}
	g.server, g.url = server, "http://"+ln.Addr().String()
	go func() { g.ended <- server.Serve(ln) }()
	return nil
}

// URL is the gateway's address, without a slash at its end.
func (g *Gateway) URL() string { return g.url }

// Routes are the "group/version" keys that the module serves; "group/" for all versions.
func (g *Gateway) Routes() []string {
	if gen := g.serving.Load(); gen != nil {
		return gen.Manifest().Routes()
	}
	return nil
}

// Load has wasm answer from now on. Requests under way end with what they began with. When it fails, the module before
// goes on.
func (g *Gateway) Load(ctx context.Context, wasm []byte) (*module.Generation, error) {
	g.loading.Lock()
	defer g.loading.Unlock()
	about, err := manifest.Of(wasm)
	if err != nil {
		return nil, err
	}
	grants, err := g.grants(about)
	if err != nil {
		return nil, err
	}
	policy := module.Policy{Limits: module.DefaultLimits(), Grants: grants, Settings: g.opts.Settings}
	gen, err := g.engine.Load(ctx, wasm, func(string) module.Policy { return policy })
	if err != nil {
		return nil, err
	}
	if old := g.serving.Swap(gen); old != nil {
		g.retire(old)
	}
	return gen, nil
}

// retire lets gen end, and forgets those that have.
func (g *Gateway) retire(gen *module.Generation) {
	gen.Retire()
	var open []*module.Generation
	for _, r := range append(g.retired, gen) {
		select {
		case <-r.Closed():
		default:
			open = append(open, r)
		}
	}
	g.retired = open
}

// grants is all that the module wants, or why it cannot be had.
func (g *Gateway) grants(about *manifest.Manifest) (service.Grants, error) {
	grants := service.Grants{
		Prometheus: about.Wants.Prometheus, HTTP: about.Wants.HTTP, Hosts: about.Wants.Hosts, Access: about.Wants.Access, Accounts: about.Wants.Accounts,
	}
	for _, k := range about.Wants.Kube {
		grants.Kube = append(grants.Kube, service.KubeGrant{Groups: k.Groups, Resources: k.Resources, Verbs: k.Verbs})
	}
	if g.opts.GrantAll {
		return grants, nil
	}
	var missing []error
	if len(grants.Kube) > 0 && g.services.all.Kube == nil {
		missing = append(missing, errors.New("it wants Kubernetes: give --kubeconfig FILE"))
	}
	if grants.Prometheus && g.services.all.Prometheus == nil {
		missing = append(missing, errors.New("it wants Prometheus: give --prometheus URL"))
	}
	for _, name := range grants.HTTP {
		if g.opts.Backends.HTTP[name] == "" {
			missing = append(missing, fmt.Errorf("it wants the backend %q: give --backend %s=URL", name, name))
		}
	}
	if len(missing) == 0 {
		return grants, nil
	}
	return grants, fmt.Errorf("cannot run module %q, or give --grant-all to have such calls fail:\n%w", about.Name, errors.Join(missing...))
}

// Close ends the requests under way, the module and the listener.
func (g *Gateway) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	err := g.server.Shutdown(ctx)
	err = errors.Join(err, <-g.ended)
	g.loading.Lock()
	defer g.loading.Unlock()
	if gen := g.serving.Swap(nil); gen != nil {
		gen.Retire()
		g.retired = append(g.retired, gen)
	}
	for _, gen := range g.retired {
		<-gen.Closed()
	}
	g.services.close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return errors.Join(err, g.engine.Close(context.Background()))
}
