package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/kubeproxy"
	"github.com/posternhq/postern/gateway/limit"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/observe"
)

// longLived is what outlives a configuration.
type longLived struct {
	cluster  *rest.Config
	platform *kube.Stores
	observe  *observe.Stage
	engine   *module.Engine
	modules  *module.Manager
	authn    *authn.Metrics
	authz    *authz.Metrics

	// The way to kube-apiserver changes seldom: it is made anew only when its settings do, and the old one's connections
	// end with the gateway, so that no watch is cut by a reload.
	proxy     atomic.Pointer[kubeproxy.Stage]
	proxySays config.Kube
	services  serviceSet
	limit     atomic.Pointer[limit.Stage]
	limits    limit.Options
	// authorizer is that of the configuration that serves, for what modules do in a caller's name.
	authorizer atomic.Pointer[authz.Authorizer]
	retired    []func()
	closing    sync.Once
}

// newLongLived makes everything that is made once.
func newLongLived(ctx context.Context, g *Gateway) (*longLived, error) {
	c := g.opts.Config
	cluster, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	l := &longLived{
		cluster: cluster,
		observe: observe.New(observe.Options{Registry: g.registry, Log: g.log}),
		authn:   authn.NewMetrics(g.registry),
		authz:   authz.NewMetrics(g.registry),
	}
	if l.platform, err = kube.New(kube.Options{Config: cluster, Log: g.log}); err != nil {
		return nil, fmt.Errorf("cannot watch users and roles: %w", err)
	}
	g.registry.MustRegister(l.platform)
	cache, err := cacheDir(c)
	if err != nil {
		return nil, err
	}
	if l.engine, err = module.NewEngine(ctx, module.Options{CacheDir: cache, Log: g.log}); err != nil {
		return nil, err
	}
	l.modules = module.NewManager(l.engine, module.ManagerOptions{
		Dir: c.Postern.Modules.Dir, Interval: c.Postern.Modules.ScanInterval, Policy: policies(c), Log: g.log,
	})
	return l, nil
}

// run works until ctx has ended: it keeps modules loaded and, unless nobody will be asked for, users and roles read.
func (l *longLived) run(ctx context.Context, users bool) error {
	group, ctx := errgroup.WithContext(ctx)
	if users {
		group.Go(func() error { return l.platform.Run(ctx) })
	}
	group.Go(func() error { return l.modules.Run(ctx) })
	return group.Wait()
}

// close ends connections and frees the modules. Run has ended before, or never began.
func (l *longLived) close() (err error) {
	l.closing.Do(func() {
		if proxy := l.proxy.Load(); proxy != nil {
			proxy.Close()
		}
		for _, f := range l.retired {
			f()
		}
		l.services.close()
		err = l.engine.Close(context.Background())
	})
	return err
}

// kubeProxy is the stage for the settings k.
func (l *longLived) kubeProxy(k config.Kube) (*kubeproxy.Stage, error) {
	old := l.proxy.Load()
	if old != nil && l.proxySays == k {
		return old, nil
	}
	options := kubeproxy.Options{Config: l.cluster, Identity: kubeproxy.Identity(k.Identity), Group: k.DecidedGroup}
	options.Pool.DialTimeout, options.Pool.HeaderTimeout = k.DialTimeout, k.ResponseHeaderTimeout
	options.Pool.MaxIdle, options.Pool.IdleTimeout = k.MaxIdleConnections, k.IdleTimeout
	proxy, err := kubeproxy.New(options)
	if err != nil {
		return nil, fmt.Errorf("cannot proxy to kube-apiserver: %w", err)
	}
	if old != nil {
		l.retired = append(l.retired, old.Close)
	}
	l.proxy.Store(proxy)
	l.proxySays = k
	return proxy, nil
}

// authorize decides what modules do in a caller's name, as the configuration that serves does for requests.
func (l *longLived) authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision {
	return l.authorizer.Load().Authorize(user, info)
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

// cacheDir is where compiled modules are kept, made if it is not there. Only the gateway may write to it.
func cacheDir(c *config.Config) (string, error) {
	dir := c.Postern.Modules.CacheDir
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			base = os.TempDir()
		}
		dir = filepath.Join(base, "postern", "wasm")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make the cache of compiled modules: %w", err)
	}
	return dir, nil
}
