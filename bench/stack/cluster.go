package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/posternhq/postern/bench/stack/components"
	"github.com/posternhq/postern/bench/stack/kubeapi"
	"github.com/posternhq/postern/bench/stack/pki"
	"github.com/posternhq/postern/bench/stack/proc"
	"github.com/posternhq/postern/bench/stack/seed"
)

// identities are the client certificates. The control plane's own are masters, as single-user clusters have it; the
// gateway is an ordinary user whose rights come from the seeded bindings.
var identities = []pki.Identity{
	{Name: "admin", Group: pki.Masters},
	{Name: "controllers", User: "system:kube-controller-manager", Group: pki.Masters},
	{Name: "kube-scheduler", User: "system:kube-scheduler", Group: pki.Masters},
	{Name: "kwok", Group: pki.Masters},
	{Name: "metrics-server", Group: pki.Masters},
	{Name: "kube-state-metrics", Group: pki.Masters},
	{Name: "prometheus", Group: pki.Masters},
	{Name: "kubelet-client", User: "kube-apiserver-kubelet-client", Group: pki.Masters},
	{Name: "postern", Group: "postern:gateways"},
}

// ownCluster builds, starts and fills a cluster of our own.
func (s *stack) ownCluster(ctx context.Context) error {
	if err := s.credentials(); err != nil {
		return err
	}
	together, inner := errgroup.WithContext(ctx)
	together.Go(func() error { return s.monitoring(inner) })
	together.Go(func() error { return s.buildGateway(inner) })
	together.Go(func() error {
		if err := s.builder.Kube(inner); err != nil {
			return err
		}
		return s.controlPlane(inner)
	})
	return together.Wait()
}

// credentials makes certificates, tokens and the kubeconfigs of everything that talks to kube-apiserver.
func (s *stack) credentials() error {
	if err := pki.Ensure(filepath.Join(s.env.Dir, "pki"), identities); err != nil {
		return err
	}
	if err := ensureTokens(filepath.Join(s.env.Dir, "tokens.csv")); err != nil {
		return err
	}
	cluster := kubeapi.Cluster{Server: "https://" + s.env.Address(components.APIServer), CertificateAuthority: s.env.PKI("ca.crt")}
	for _, id := range identities {
		user := kubeapi.User{ClientCertificate: s.env.PKI(id.Name + ".crt"), ClientKey: s.env.PKI(id.Name + ".key")}
		if err := kubeapi.WriteKubeconfig(s.env.Kubeconfig(id.Name), id.Name, cluster, user); err != nil {
			return err
		}
	}
	return nil
}

// ensureTokens makes one bearer token of an administrator, for clients that cannot do certificates.
func ensureTokens(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	line := fmt.Sprintf("%s,token-admin,token-admin,%q\n", rand.Text(), pki.Masters)
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil {
		return fmt.Errorf("cannot write the tokens: %w", err)
	}
	return nil
}

// packages finds or fetches the programs that are Debian's.
func (s *stack) packages(ctx context.Context) (exporter, prometheus string, err error) {
	folder := filepath.Join(s.env.Root, ".postern", "apt")
	if exporter, err = s.builder.Debian(ctx, folder, "prometheus-node-exporter", "prometheus-node-exporter"); err != nil {
		return "", "", err
	}
	if prometheus, err = s.builder.Debian(ctx, folder, "prometheus", "prometheus"); err != nil {
		return "", "", err
	}
	return exporter, prometheus, nil
}

// monitoring starts what needs no cluster.
func (s *stack) monitoring(ctx context.Context) error {
	exporter, prometheus, err := s.packages(ctx)
	if err != nil {
		return err
	}
	var cloud []string
	for _, node := range seed.Nodes {
		if !node.Edge {
			cloud = append(cloud, node.Name)
		}
	}
	server, err := components.PrometheusServer(s.env, prometheus, cloud)
	if err != nil {
		return err
	}
	return s.launchAll(ctx, components.NodeMetrics(s.env, exporter), server)
}

// controlPlane starts the API server, seeds it and starts everything around it.
func (s *stack) controlPlane(ctx context.Context) error {
	if err := s.launch(ctx, components.Server(s.env)); err != nil {
		return err
	}
	client, err := kubeapi.New(ctx, s.env.Kubeconfig("admin"))
	if err != nil {
		return err
	}
	s.seeder = &seed.Seeder{Client: client, Users: s.users}
	go func() {
		if err := components.Tick(components.TickerLog(s.env), s.stopping); err != nil {
			s.console.Say("%v", err)
		}
	}()
	around, inner := errgroup.WithContext(ctx)
	around.Go(func() error { return s.around(inner) })
	around.Go(func() error { return s.seed(inner, s.seeder) })
	if err := around.Wait(); err != nil {
		return err
	}
	// Last: the aggregator looks at metrics-server when this changes, and else not again for up to half a minute.
	return s.seeder.Metrics(ctx, s.env.Ports[components.MetricsServer], s.env.PKI("ca.crt"))
}

// settled waits until the cluster has become what was seeded.
func (s *stack) settled(ctx context.Context) error {
	if s.seeder == nil {
		return nil // a given cluster
	}
	defer s.seeder.Client.Close()
	if err := s.seeder.WaitReady(ctx); err != nil {
		return err
	}
	s.console.Say("nodes are Ready, pods are Running")
	return nil
}

// around starts what works on the API server.
func (s *stack) around(ctx context.Context) error {
	if err := s.kwokDefaults(ctx); err != nil {
		return err
	}
	kubelet, err := components.FakeKubelet(s.env)
	if err != nil {
		return err
	}
	return s.launchAll(ctx, components.ControllerManager(s.env), components.KubeScheduler(s.env), kubelet,
		components.MetricsAPI(s.env), components.StateMetricsExporter(s.env))
}

// kwokDefaults writes the linked kwok's own stages to a file beside ours.
func (s *stack) kwokDefaults(ctx context.Context) error {
	file, err := os.Create(components.KwokDefaults(s.env))
	if err != nil {
		return fmt.Errorf("cannot write kwok's defaults: %w", err)
	}
	spec := proc.Spec{Name: "kwok-defaults", Path: filepath.Join(s.env.Bin, "kube"), Args: []string{"kwok-defaults"}}
	return errors.Join(s.group.Run(ctx, spec, file), file.Close())
}

// seed puts everything into the cluster, in the order that its parts need each other.
func (s *stack) seed(ctx context.Context, seeder *seed.Seeder) error {
	if err := seeder.Nodes(ctx, s.env.Ports[components.Kwok]); err != nil {
		return err
	}
	if err := seeder.CRDs(ctx, filepath.Join(s.env.Root, "config", "crds")); err != nil {
		return err
	}
	if err := seeder.Access(ctx); err != nil {
		return err
	}
	if err := seeder.Platform(ctx); err != nil {
		return err
	}
	return seeder.Workloads(ctx)
}
