package trial

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/service/httpcall"
	"github.com/posternhq/postern/gateway/module/service/kube"
	"github.com/posternhq/postern/gateway/module/service/prometheus"
	"github.com/posternhq/postern/gateway/module/service/query"
)

// Backends are what the module may reach. Empty ones are not there.
type Backends struct {
	// Kubeconfig is a file. Calls have that credential's rights, whoever asks.
	Kubeconfig string
	// Prometheus is a URL.
	Prometheus string
	// HTTP are URLs by name.
	HTTP map[string]string
}

// services are what host calls reach, and how to close it.
type services struct {
	all     module.Services
	closers []func()
}

func (b *Backends) services() (*services, error) {
	s := new(services)
	if err := s.fill(b); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *services) fill(b *Backends) error {
	if b.Kubeconfig != "" {
		config, err := clientcmd.BuildConfigFromFlags("", b.Kubeconfig)
		if err != nil {
			return fmt.Errorf("cannot read the kubeconfig %q: %w", b.Kubeconfig, err)
		}
		cluster, err := kube.New(kube.Options{Config: config, Identity: kube.Plain, Authorize: allow})
		if err != nil {
			return err
		}
		s.all.Kube, s.all.Query, s.closers = cluster, query.New(cluster), append(s.closers, cluster.Close)
	}
	if b.Prometheus != "" {
		p, err := prometheus.New(prometheus.Options{Endpoint: b.Prometheus})
		if err != nil {
			return fmt.Errorf("cannot use %q as Prometheus: %w", b.Prometheus, err)
		}
		s.all.Prometheus, s.closers = p, append(s.closers, p.Close)
	}
	backends := map[string]httpcall.Backend{}
	for name, url := range b.HTTP {
		backends[name] = httpcall.Backend{URL: url}
	}
	h, err := httpcall.New(backends)
	if err != nil {
		return err
	}
	s.all.HTTP, s.all.Forward, s.closers = h, h, append(s.closers, h.Close)
	return nil
}

func (s *services) close() {
	for _, f := range s.closers {
		f()
	}
}

// allow lets the caller do what the kubeconfig's credential may do: it is the author's own.
func allow(*exchange.User, *exchange.RequestInfo) exchange.Decision {
	return exchange.Decision{Allowed: true, Reason: "a trial authorizes everybody"}
}
