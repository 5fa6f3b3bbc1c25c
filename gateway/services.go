package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"reflect"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/service/httpcall"
	kubeservice "github.com/posternhq/postern/gateway/module/service/kube"
	"github.com/posternhq/postern/gateway/module/service/prometheus"
)

// serviceSet is what modules reach, with the settings each was made from: it is made anew only when those change.
type serviceSet struct {
	kube       *kubeservice.Service
	kubeSays   config.Kube
	prometheus *prometheus.Service
	endpoint   string
	http       *httpcall.Service
	backends   map[string]config.Backend
}

// setServices makes what modules reach follow c.
func (g *Gateway) setServices(c *config.Config, authorizer *authz.Authorizer) error {
	// Decisions are made by the authorizer of the configuration that serves when the call comes.
	g.long.authorizer.Store(authorizer)
	s := g.long.services
	if err := s.follow(g, c); err != nil {
		return err
	}
	if old := g.long.services.kube; old != nil && old != s.kube {
		g.long.retired = append(g.long.retired, old.Close)
	}
	g.long.services = s
	services := module.Services{Kube: s.kube, HTTP: s.http, Forward: s.http}
	if s.prometheus != nil {
		services.Prometheus = s.prometheus
	}
	g.long.engine.SetServices(services)
	return nil
}

// follow replaces what was made from other settings than c's.
func (s *serviceSet) follow(g *Gateway, c *config.Config) (err error) {
	if s.kube == nil || s.kubeSays != c.Postern.Kube {
		s.kubeSays = c.Postern.Kube
		s.kube, err = kubeservice.New(kubeservice.Options{
			Config: g.long.cluster, Authorize: g.long.authorize,
			Identity: kubeservice.Identity(c.Postern.Kube.Identity), DecidedGroup: c.Postern.Kube.DecidedGroup,
		})
		if err != nil {
			return fmt.Errorf("cannot let modules reach Kubernetes: %w", err)
		}
	}
	if endpoint := c.Monitoring.Endpoint; s.endpoint != endpoint {
		s.endpoint, s.prometheus = endpoint, nil
		if endpoint != "" {
			if s.prometheus, err = prometheus.New(prometheus.Options{Endpoint: endpoint}); err != nil {
				return fmt.Errorf("cannot use monitoring.endpoint: %w", err)
			}
		}
	}
	if backends := c.HTTPBackends(); s.http == nil || !reflect.DeepEqual(s.backends, backends) {
		s.backends = backends
		if s.http, err = newBackends(backends); err != nil {
			return err
		}
	}
	return nil
}

// newBackends makes the HTTP service of the configured backends.
func newBackends(backends map[string]config.Backend) (*httpcall.Service, error) {
	all := map[string]httpcall.Backend{}
	for name, b := range backends {
		backend := httpcall.Backend{URL: b.URL, Timeout: b.Timeout}
		if b.CAFile != "" {
			pem, err := os.ReadFile(b.CAFile)
			if err != nil {
				return nil, fmt.Errorf("cannot read the authorities of backend %q: %w", name, err)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("cannot use %q as authorities of backend %q: no PEM certificate in it", b.CAFile, name)
			}
			backend.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
		all[name] = backend
	}
	return httpcall.New(all)
}

// close ends watches and connections.
func (s *serviceSet) close() {
	if s.kube != nil {
		s.kube.Close()
	}
	if s.prometheus != nil {
		s.prometheus.Close()
	}
	if s.http != nil {
		s.http.Close()
	}
}
