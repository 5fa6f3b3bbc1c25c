package gateway

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/kinds"
	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/resource"
	"github.com/posternhq/postern/gateway/oauth"
	"github.com/posternhq/postern/gateway/observe"
	"github.com/posternhq/postern/gateway/session"
	"github.com/posternhq/postern/gateway/token/shared"
	"github.com/posternhq/postern/gateway/users"
	"github.com/posternhq/postern/gateway/visible"
)

// longLived is what outlives a configuration.
type longLived struct {
	log      zerolog.Logger
	cluster  *rest.Config
	platform *kube.Stores
	users    *users.Writer
	observe  *observe.Stage
	engine   *module.Engine
	modules  *manager.Manager
	puller   *puller
	wanted   *resource.Source // nil: nobody follows Module resources
	authn    *authn.Metrics
	authz    *authz.Metrics
	visible  *visible.Shared
	oauth    *oauth.Metrics
	filters  *filter.Options
	sessions *session.Keeper
	logins   *login.Checker
	direct   *kube.Direct
	keys     *shared.Keeper
	tokens   *authn.Cache // verified ones

	current atomic.Pointer[lasting]
	retired []func() // close what a reload has replaced; one reload at a time adds to it
	closing sync.Once
}

// newLongLived makes everything that is made once.
func newLongLived(ctx context.Context, g *Gateway) (*longLived, error) {
	c := g.opts.Config
	cluster, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	l := &longLived{
		log: g.log, cluster: cluster,
		observe: observe.New(observe.Options{Registry: g.registry, Log: g.log}),
		authn:   authn.NewMetrics(g.registry),
		authz:   authz.NewMetrics(g.registry),
		visible: visible.NewShared(g.registry),
		oauth:   oauth.NewMetrics(g.registry),
	}
	l.sessions = session.New(session.Options{Log: g.log, Metrics: session.NewMetrics(g.registry)})
	l.current.Store(new(lasting))
	if err := l.knowUsers(c, g); err != nil {
		return nil, err
	}
	if err := l.loadModules(ctx, c, g); err != nil {
		return nil, err
	}
	return l, nil
}

// knowUsers makes what knows users: the platform's state, their passwords, and the keys of their tokens.
func (l *longLived) knowUsers(c *config.Config, g *Gateway) (err error) {
	if l.users, err = users.New(users.Options{
		Config: l.cluster, Admin: firstAdmin(c, g.log), History: history(c), Log: g.log, Registry: g.registry,
	}); err != nil {
		return fmt.Errorf("cannot look after users: %w", err)
	}
	if l.platform, err = kube.New(kube.Options{Config: l.cluster, Log: g.log, Plain: l.users.Plain}); err != nil {
		return fmt.Errorf("cannot watch users and roles: %w", err)
	}
	l.users.Follow(l.platform)
	g.registry.MustRegister(l.platform)
	l.logins = login.New(login.Options{Users: l.platform, Ready: l.platform.UsersSynced, Throttle: l.sessions, Recorder: l.users, Registerer: g.registry})
	if l.direct, err = kube.NewDirect(l.cluster); err != nil {
		return err
	}
	l.keys = shared.New(shared.Options{Cluster: l.direct, Namespace: c.Postern.Namespace, Log: g.log})
	l.tokens = new(authn.Cache)
	return nil
}

// loadModules makes what runs modules and filters, and what brings modules here.
func (l *longLived) loadModules(ctx context.Context, c *config.Config, g *Gateway) error {
	signers, err := readSigners(c)
	if err != nil {
		return err
	}
	cache, err := cacheDir(c.Postern.Modules.CacheDir)
	if err != nil {
		if c.Postern.Modules.CacheDir != "" {
			return err
		}
		g.log.Warn().Err(err).Msg("modules are compiled at each start: set postern.modules.cacheDir")
	}
	if l.engine, err = module.NewEngine(ctx, module.Options{
		CacheDir: cache, CacheSize: int64(c.Postern.Modules.CacheSize), Compile: g.opts.Compile, Log: g.log,
	}); err != nil {
		return err
	}
	l.filters = &filter.Options{
		Kinds: kinds.All, Metrics: filter.NewMetrics(g.registry),
		Env: filter.Env{Log: g.log, CacheDir: cache, Runtime: l.engine, Reread: g.reread},
	}
	l.modules = manager.New(l.engine, manager.Options{
		Dir: c.Postern.Modules.Dir, HistoryDir: c.Postern.Modules.HistoryDir, Interval: c.Postern.Modules.ScanInterval,
		Policy: policies(c, signers), Rollout: g.rollouts, Log: g.log,
	})
	kept, err := artifacts(c.Postern.Modules.ArtifactDir)
	if err != nil {
		g.log.Warn().Err(err).Msg("modules are pulled at each start: set postern.modules.artifactDir")
	}
	l.puller = newPuller(l.modules.Set, kept, g.log)
	if c.Postern.Modules.Resources.Enabled {
		if l.wanted, err = followResources(l, c, kept, g.log); err != nil {
			return err
		}
	}
	return nil
}

// run works until ctx has ended: it keeps modules loaded and, unless nobody will be asked for, users and roles read.
func (l *longLived) run(ctx context.Context, follow bool) error {
	group, ctx := errgroup.WithContext(ctx)
	if follow {
		group.Go(func() error { return l.platform.Run(ctx) })
		group.Go(func() error { return l.users.Run(ctx) })
		group.Go(func() error { l.keys.Run(ctx); return nil })
		if l.wanted != nil {
			group.Go(func() error { return l.wanted.Run(ctx) })
		}
	}
	group.Go(func() error { return l.modules.Run(ctx) })
	group.Go(func() error { return l.puller.run(ctx) })
	return group.Wait()
}

// close ends connections and frees the modules. Run has ended before, or never began.
func (l *longLived) close() (err error) {
	l.closing.Do(func() {
		for _, f := range append(l.current.Load().closers(new(lasting)), l.retired...) {
			f()
		}
		if set := l.current.Load().filters; set != nil {
			set.Retire()
		}
		l.direct.Close()
		err = errors.Join(l.sessions.Close(), l.engine.Close(context.Background()))
	})
	return err
}

// authorize decides what modules do in a caller's name, as the configuration that serves does for requests.
func (l *longLived) authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision {
	return l.current.Load().authorizer.Authorize(user, info)
}

// await waits for users, roles and bindings that a module has written.
func (l *longLived) await(ctx context.Context, group, resource, version string) {
	// Without it the write has still been made, and is gone by a moment later.
	_ = l.platform.Await(ctx, group, resource, version)
}

// unreachable is kube-apiserver's address when none is known: the gateway starts, answers what it can, and says in
// /readyz what it lacks.
const unreachable = "https://127.0.0.1:6443"

// restConfig is the way to kube-apiserver: the configured kubeconfig, else the pod's own service account.
func restConfig(c *config.Config) (cluster *rest.Config, err error) {
	k := c.Kubernetes
	if k.Kubeconfig == "" && k.Master == "" {
		cluster, err = rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			cluster, err = &rest.Config{Host: unreachable}, nil
		}
	} else {
		cluster, err = clientcmd.BuildConfigFromFlags(k.Master, k.Kubeconfig)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read kubernetes.kubeconfig %q: %w", k.Kubeconfig, err)
	}
	cluster.QPS, cluster.Burst = float32(k.QPS), k.Burst
	return cluster, nil
}
