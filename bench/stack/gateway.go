package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/posternhq/postern/bench/stack/components"
	"github.com/posternhq/postern/bench/stack/kubeapi"
	"github.com/posternhq/postern/bench/stack/seed"
)

// configFile is the gateway's configuration, which is written with and without a gateway of ours.
func (s *stack) configFile() string { return filepath.Join(s.env.Dir, "kubesphere.yaml") }

// modulesDir is the folder that the gateway loads modules from; each stack has its own, so that tests may change theirs.
func (s *stack) modulesDir() string { return filepath.Join(s.env.Dir, "modules") }

// gatewayKubeconfig is the path of the kubeconfig through the gateway as user; the administrator's is the one that people use.
func (s *stack) gatewayKubeconfig(user string) string {
	if user == seed.Admin {
		return filepath.Join(s.env.Dir, "kubeconfig")
	}
	return filepath.Join(s.env.Dir, "kubeconfigs", "gateway-"+user)
}

func (s *stack) buildGateway(ctx context.Context) error {
	if s.options.NoGateway {
		return nil
	}
	return s.builder.Gateway(ctx, s.modulesDir())
}

// startGateway writes the gateway's configuration and kubeconfigs and, unless told otherwise, starts it.
func (s *stack) startGateway(ctx context.Context) error {
	secret, err := ensureSecret(filepath.Join(s.env.Dir, "jwt-secret"))
	if err != nil {
		return err
	}
	settings := components.GatewaySettings{
		Kubeconfig: s.env.Kubeconfig("postern"),
		Secret:     secret,
		Prometheus: "http://" + s.env.Address(components.Prometheus),
		Edge:       s.options.Edge,
		Modules:    s.modulesDir(),
	}
	if s.options.Kubeconfig != "" {
		settings.Kubeconfig, settings.Prometheus = s.options.Kubeconfig, s.options.Prometheus
	}
	gateway, err := components.GatewayServer(s.env, s.configFile(), settings)
	if err != nil {
		return err
	}
	if s.options.NoGateway {
		s.book.Release(gateway.Ports...) // whoever starts the gateway listens there
		return nil
	}
	for _, u := range s.users {
		cluster := kubeapi.Cluster{Server: "https://" + s.env.Address(components.GatewayTLS), CertificateAuthority: s.env.PKI("ca.crt")}
		user := kubeapi.User{Username: u.Name, Password: u.Password}
		if err := kubeapi.WriteKubeconfig(s.gatewayKubeconfig(u.Name), "postern-"+u.Name, cluster, user); err != nil {
			return err
		}
	}
	return s.launch(ctx, gateway)
}

// ensureSecret keeps one random secret between runs, so that tokens stay valid.
func ensureSecret(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(data)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the token secret: %w", err)
	}
	secret := rand.Text() + rand.Text() // 256 bits, as HS256 wants
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("cannot write the token secret: %w", err)
	}
	return secret, nil
}
