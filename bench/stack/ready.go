package stack

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/posternhq/postern/bench/stack/components"
	"github.com/posternhq/postern/bench/stack/seed"
)

// Ready is what the ready-file holds, for programs that use the stack.
type Ready struct {
	Dir       string            `json:"dir"`       // state of the stack
	Bin       string            `json:"bin"`       // folder of kube, kubectl, postern
	PID       int               `json:"pid"`       // of the supervisor; SIGTERM stops everything
	PIDs      map[string]int    `json:"pids"`      // of the components, by name
	Logs      map[string]string `json:"logs"`      // of the components, by name
	URLs      map[string]string `json:"urls"`      // kube-apiserver, prometheus, node-exporter, kube-state-metrics, kwok, etcd, gateway, gateway-tls, gateway-admin
	CAFile    string            `json:"caFile"`    // certificate authority of everything that speaks TLS here
	ServerCrt string            `json:"serverCrt"` // a serving certificate for loopback, with its key, for tests to use
	ServerKey string            `json:"serverKey"`
	// Kubeconfigs: "admin" straight to kube-apiserver, "postern" the gateway's own identity, "gateway" through the gateway as
	// its administrator, "gateway-NAME" as user NAME. With --no-gateway the last two are missing.
	Kubeconfigs map[string]string `json:"kubeconfigs"`
	Config      string            `json:"config"`  // kubesphere.yaml of the gateway, written with --no-gateway too
	Modules     string            `json:"modules"` // folder of .wasm files that the gateway watches
	Nodes       []seed.Node       `json:"nodes"`
	Users       []seed.User       `json:"users"`
}

func (s *stack) ready() Ready {
	e := s.env
	r := Ready{
		Dir: e.Dir, Bin: e.Bin, PID: os.Getpid(), PIDs: map[string]int{}, Logs: map[string]string{},
		URLs: map[string]string{}, Kubeconfigs: map[string]string{}, Config: s.configFile(), Modules: s.modulesDir(),
		CAFile: e.PKI("ca.crt"), ServerCrt: e.PKI("server.crt"), ServerKey: e.PKI("server.key"),
		Users: s.users,
	}
	for _, p := range s.group.Processes() {
		r.PIDs[p.Name], r.Logs[p.Name] = p.PID, p.Log
	}
	for name, scheme := range map[string]string{
		components.APIServer: "https", components.Prometheus: "http", components.NodeExporter: "http",
		components.StateMetrics: "http", components.Kwok: "http", components.Etcd: "http",
	} {
		if s.options.Kubeconfig == "" {
			r.URLs[name] = scheme + "://" + e.Address(name)
		}
	}
	if s.options.Kubeconfig == "" {
		r.Nodes = seed.Nodes
		r.Kubeconfigs["admin"], r.Kubeconfigs["postern"] = e.Kubeconfig("admin"), e.Kubeconfig("postern")
	}
	for name, scheme := range map[string]string{
		components.Gateway: "http", components.GatewayTLS: "https", components.GatewayAdmin: "http",
	} {
		r.URLs[name] = scheme + "://" + e.Address(name)
	}
	if !s.options.NoGateway {
		r.Kubeconfigs["gateway"] = s.gatewayKubeconfig(seed.Admin)
		for _, u := range s.users {
			r.Kubeconfigs["gateway-"+u.Name] = s.gatewayKubeconfig(u.Name)
		}
	}
	return r
}

// writeReady writes the ready-file in one step, so that whoever waits for it never reads half of it.
func (s *stack) writeReady() error {
	if s.options.ReadyFile == "" {
		return nil
	}
	data, err := json.MarshalIndent(s.ready(), "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the ready-file: %w", err)
	}
	temporary := s.options.ReadyFile + ".tmp"
	if err := os.WriteFile(temporary, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot write the ready-file: %w", err)
	}
	if err := os.Rename(temporary, s.options.ReadyFile); err != nil {
		return fmt.Errorf("cannot write the ready-file: %w", err)
	}
	return nil
}
