// Package gateway puts the stages together and runs them: listeners, the chain, modules, the admin listener, and the
// change from one configuration to the next.
package gateway

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/admin"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/listener"
	"github.com/posternhq/postern/gateway/module/codecache"
	"github.com/posternhq/postern/gateway/observe"
	"github.com/posternhq/postern/gateway/telemetry"
)

// Options say what a gateway is made of.
type Options struct {
	Config *config.Config
	// Reload says how the last reload went, for metrics and probes; nil without a watched file.
	Reload func() config.Status
	// Compile makes the machine code of modules; nil: this process does. See module.Options.
	Compile codecache.Compile
	// Out takes log and access log, one line each.
	Out io.Writer
}

// Gateway is one running gateway. What must outlive a configuration is here: connections, watches, modules, counters.
// What a configuration decides is in a snapshot that Reload replaces as a whole.
type Gateway struct {
	opts     Options
	queue    *telemetry.Queue
	log      zerolog.Logger
	registry *prometheus.Registry
	long     *longLived
	current  atomic.Pointer[snapshot]
	servers  []*listener.Server
	named    atomic.Pointer[map[string]*listener.Server] // the same by name, for metrics
	draining atomic.Bool

	mu    sync.Mutex // one reload at a time, and none after the end
	ended bool
	addrs chan Addresses
}

// Addresses are where a gateway listens: useful with port 0. Empty ones are off.
type Addresses struct{ HTTP, HTTPS, Admin string }

// snapshot is what one configuration made.
type snapshot struct {
	config  *config.Config
	handler exchange.Handler
	stages  []exchange.Stage
	filters *filter.Set
}

// New makes a gateway of a configuration. It opens no port and asks nobody yet. Close it, or Run it, which does.
func New(ctx context.Context, opts Options) (*Gateway, error) {
	queue := telemetry.NewQueue(opts.Out)
	c := opts.Config
	g := &Gateway{opts: opts, queue: queue, log: telemetry.NewLogger(queue, c.Postern.Log.Format), registry: prometheus.NewRegistry(), addrs: make(chan Addresses, 1)}
	g.named.Store(&map[string]*listener.Server{})
	g.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	var err error
	if g.long, err = newLongLived(ctx, g); err != nil {
		queue.Close()
		return nil, err
	}
	if err := g.Reload(ctx, c); err != nil {
		return nil, errors.Join(err, g.close())
	}
	g.registry.MustRegister(&collector{g})
	return g, nil
}

// Reload makes c the configuration of every request from now on. Requests under way end as they began; no connection is
// dropped. When it fails, nothing has changed.
func (g *Gateway) Reload(_ context.Context, c *config.Config) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return errors.New("cannot change the configuration of a gateway that has ended")
	}
	p, n, err := g.assemble(c)
	if err != nil {
		return err
	}
	if err := telemetry.SetLevel(c.Postern.Log.Level); err != nil { // the configuration has checked it
		return err
	}
	old := g.current.Load()
	g.long.use(n)
	stages := p.chain()
	g.current.Store(&snapshot{config: c, handler: link(stages), stages: stages, filters: n.filters})
	n.filters.Use()
	if old != nil {
		old.filters.Retire() // requests that came before keep it until they end
	}
	g.long.observe.SetAccess(observe.Access{
		On: c.Postern.Log.Access, Sampling: c.Postern.Log.AccessSampling, TrustedProxies: c.Postern.TrustedProxies,
	})
	g.long.modules.SetPolicy(policies(c, n.signers))
	g.long.puller.follow(n.pulls)
	return nil
}

// Log is the gateway's log.
func (g *Gateway) Log() *zerolog.Logger { return &g.log }

// serve has the current snapshot answer. One whose filters have ended between the look and the share has a successor.
func (g *Gateway) serve(x *exchange.Exchange) {
	for {
		if s := g.current.Load(); s.filters.Acquire(x) {
			s.handler(x)
			return
		}
	}
}

// Addresses blocks until the listeners are open, or ctx has ended.
func (g *Gateway) Addresses(ctx context.Context) (Addresses, error) {
	select {
	case a := <-g.addrs:
		g.addrs <- a
		return a, nil
	case <-ctx.Done():
		return Addresses{}, ctx.Err()
	}
}

// Run serves until ctx has ended, then drains: no new connections, requests under way have the drain time to end.
func (g *Gateway) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, g.close()) }()
	c := g.current.Load().config
	if err := g.openSessions(c.Postern.Sessions.JournalFile); err != nil {
		return err
	}
	sockets, err := listen(ctx, c)
	if err != nil {
		return err
	}
	if err := g.makeServers(c, sockets); err != nil {
		return errors.Join(err, sockets.close())
	}
	options, err := g.adminOptions(c)
	if err != nil {
		g.shutdown(context.Background())
		return errors.Join(err, sockets.close())
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	group, failed := errgroup.WithContext(work)
	group.Go(func() error { return g.long.run(work, true) })
	group.Go(func() error { return g.long.sessions.Run(work) })
	operators := admin.New(options)
	if sockets.admin != nil {
		group.Go(func() error { return operators.Serve(sockets.admin) })
	}
	for i, ln := range sockets.public() {
		group.Go(func() error { return g.servers[i].Serve(ln) })
	}
	g.addrs <- sockets.addresses()
	g.log.Info().Any("listening", sockets.addresses()).Msg("postern serves")
	select {
	case <-ctx.Done():
	case <-failed.Done():
	}
	g.drain(g.current.Load().config.Postern.DrainTimeout)
	err = operators.Close()
	stop()
	return errors.Join(err, group.Wait())
}

// drain ends the public listeners. Probes answer meanwhile, so that whoever routes requests here sees it.
func (g *Gateway) drain(limit time.Duration) {
	g.draining.Store(true)
	g.log.Info().Dur("limit", limit).Msg("draining")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	g.shutdown(ctx)
}

// shutdown ends the public listeners, at the latest when ctx ends.
func (g *Gateway) shutdown(ctx context.Context) {
	var all sync.WaitGroup
	for _, s := range g.servers {
		all.Go(func() {
			if err := s.Shutdown(ctx); err != nil {
				g.log.Warn().Err(err).Msg("requests were broken off at the end of the drain time")
			}
		})
	}
	all.Wait()
}

// close frees what New made.
func (g *Gateway) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended = true
	err := g.long.close()
	g.queue.Close()
	return err
}
