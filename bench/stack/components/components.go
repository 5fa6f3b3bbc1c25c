// Package components says how each process of the stack is started: its flags, its configuration file, its ports and how
// to see that it is ready. One file a component.
package components

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"text/template"

	"github.com/posternhq/postern/bench/stack/ports"
	"github.com/posternhq/postern/bench/stack/proc"
)

// Names of the ports that components listen on.
const (
	Etcd               = "etcd"
	APIServer          = "kube-apiserver"
	Controllers        = "controllers"
	Scheduler          = "kube-scheduler"
	Kwok               = "kwok"
	MetricsServer      = "metrics-server"
	StateMetrics       = "kube-state-metrics"
	StateMetricsSelf   = "kube-state-metrics-self"
	NodeExporter       = "node-exporter"
	Prometheus         = "prometheus"
	Gateway            = "gateway"
	GatewayTLS         = "gateway-tls"
	GatewayAdmin       = "gateway-admin"
	certificateServing = "server" // name of the serving certificate, of package pki
)

// Waves in which the stack stops, the last one first; see proc.Spec.
const (
	serverWave = iota
	clientWave
	gatewayWave // first of all, so that it can drain
)

// Component is one process.
type Component struct {
	proc.Spec
	Ports []string // names of what it listens on, let go of just before it starts
	Ready string   // URL that answers 200 once it is ready; certificates are checked against the stack's authority
}

// Env is what the components have to know of their surroundings.
type Env struct {
	Root  string         // of the repository
	Bin   string         // folder of what was built
	Dir   string         // folder of this stack's state
	Ports map[string]int // by name
}

// PKI is the path of a file among the certificates, as "ca.crt".
func (e Env) PKI(name string) string { return filepath.Join(e.Dir, "pki", name) }

// Kubeconfig is the path of the kubeconfig that the component called name uses.
func (e Env) Kubeconfig(name string) string { return filepath.Join(e.Dir, "kubeconfigs", name) }

// Address is the loopback address of the port called name.
func (e Env) Address(name string) string { return ports.Address(e.Ports[name]) }

// kube is the all-in-one binary with a sub-command. Its processes see a small environment, so that nothing of the
// developer's own (a KUBECONFIG, ~/.kwok, proxies) reaches them.
func (e Env) kube(name, command string, args ...string) proc.Spec {
	return proc.Spec{
		Name: name,
		Path: filepath.Join(e.Bin, "kube"),
		Args: append([]string{command}, args...),
		Env:  []string{"HOME=" + e.Dir, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"},
		Dir:  e.Dir,
		Wave: clientWave,
	}
}

// render fills the template text and writes it to the file called name in the stack's folder.
func (e Env) render(name, text string, data any) (path string, err error) {
	path = filepath.Join(e.Dir, name)
	parsed, err := template.New(name).Parse(text)
	if err != nil {
		return "", fmt.Errorf("cannot read the template of %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, data); err != nil {
		return "", fmt.Errorf("cannot fill the template of %s: %w", name, err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("cannot write %s: %w", name, err)
	}
	return path, nil
}
