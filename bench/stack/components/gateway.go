package components

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"

	"github.com/posternhq/postern/bench/stack/proc"
)

//go:embed kubesphere.yaml.tmpl
var gatewayConfig string

// GatewaySettings go into the gateway's kubesphere.yaml.
type GatewaySettings struct {
	Kubeconfig string // the gateway's own identity
	Secret     string // signs tokens
	Prometheus string // URL; empty: none
	Edge       string // URL behind the kubeedge group; empty: none
	Modules    string // folder of wasm modules
}

// GatewayServer is the gateway itself, with its configuration written to the file called config.
func GatewayServer(e Env, config string, settings GatewaySettings) (Component, error) {
	_, err := e.render(filepath.Base(config), gatewayConfig, map[string]any{
		"Settings": settings,
		"HTTP":     e.Address(Gateway),
		"HTTPS":    e.Address(GatewayTLS),
		"Admin":    e.Address(GatewayAdmin),
		"Cert":     e.PKI(certificateServing + ".crt"),
		"Key":      e.PKI(certificateServing + ".key"),
		"Journal":  filepath.Join(e.Dir, "sessions.journal"),
		"Cache":    filepath.Join(e.Root, ".postern", "wasm-cache"),
	})
	if err != nil {
		return Component{}, fmt.Errorf("cannot configure the gateway: %w", err)
	}
	return Component{
		// The whole environment: a developer's KUBESPHERE_SECTION_KEY is meant for the gateway.
		Spec:  proc.Spec{Name: "postern", Path: filepath.Join(e.Bin, "postern"), Args: []string{"run", "--config", config}, Env: os.Environ(), Dir: e.Root, Wave: gatewayWave},
		Ports: []string{Gateway, GatewayTLS, GatewayAdmin},
		Ready: "http://" + e.Address(GatewayAdmin) + "/readyz",
	}, nil
}
