package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/service/access"
	"github.com/posternhq/postern/gateway/module/service/accounts"
	"github.com/posternhq/postern/gateway/module/service/httpcall"
	kubeservice "github.com/posternhq/postern/gateway/module/service/kube"
	"github.com/posternhq/postern/gateway/module/service/prometheus"
	"github.com/posternhq/postern/gateway/module/service/query"
	"github.com/posternhq/postern/gateway/users"
)

// serviceSet is what modules reach, with the settings each was made from: it is made anew only when those change.
type serviceSet struct {
	kube       *kubeservice.Service
	kubeSays   config.Kube
	prometheus *prometheus.Service
	endpoint   string
	http       *httpcall.Service
	backends   map[string]config.Backend
	access     *access.Service
	accounts   *accounts.Service
}

// forModules are the services as the runtime takes them.
func (s *serviceSet) forModules() module.Services {
	services := module.Services{Kube: s.kube, Query: query.New(s.kube), HTTP: s.http, Forward: s.http, Access: s.access, Accounts: s.accounts}
	if s.prometheus != nil { // else it would be an interface that is not nil
		services.Prometheus = s.prometheus
	}
	return services
}

// follow replaces what was made from other settings than c's.
func (s *serviceSet) follow(l *longLived, c *config.Config) error {
	if s.kube == nil || s.kubeSays != c.Postern.Kube {
		kube, err := kubeservice.New(kubeservice.Options{
			// Decisions are made by the configuration that serves when the call comes.
			Config: l.cluster, Authorize: l.authorize, Written: l.await,
			Identity: kubeservice.Identity(c.Postern.Kube.Identity), DecidedGroup: c.Postern.Kube.DecidedGroup,
		})
		if err != nil {
			return fmt.Errorf("cannot let modules reach Kubernetes: %w", err)
		}
		s.kube, s.kubeSays = kube, c.Postern.Kube
	}
	if s.access == nil {
		s.access = newAccess(l)
		s.accounts = accounts.New(accounts.Options{Checker: l.logins, Sessions: l.sessions, Hash: users.Hash})
	}
	if endpoint := c.Monitoring.Endpoint; s.endpoint != endpoint {
		s.endpoint, s.prometheus = endpoint, nil
		if endpoint != "" {
			p, err := prometheus.New(prometheus.Options{Endpoint: endpoint})
			if err != nil {
				return fmt.Errorf("cannot use monitoring.endpoint: %w", err)
			}
			s.prometheus = p
		}
	}
	if backends := c.HTTPBackends(); s.http == nil || !reflect.DeepEqual(s.backends, backends) {
		h, err := newBackends(backends)
		if err != nil {
			return err
		}
		s.http, s.backends = h, backends
	}
	return nil
}

// newAccess answers by the authorizer of the configuration that serves when the call comes.
func newAccess(l *longLived) *access.Service {
	return access.New(access.Options{
		Authorizer: func() access.Authorizer { return l.current.Load().authorizer },
		User:       l.user,
		Role:       l.platform.RoleRules,
	})
}

// user is an account as its requests would have it, nil if there is none: without groups that only the platform gives.
func (l *longLived) user(name string) *exchange.User {
	a := l.platform.Account(name)
	if a == nil {
		return nil
	}
	reserved := l.current.Load().proxySays.DecidedGroup
	groups := slices.DeleteFunc(slices.Clone(a.Groups), func(g string) bool {
		return g == "" || g == reserved || strings.HasPrefix(g, "system:")
	})
	return &exchange.User{Name: a.Name, UID: a.UID, Groups: append(groups, "system:authenticated")}
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
