package components

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

//go:embed kwok.yaml.tmpl
var kwokConfig string

// FakeKubelet is kwok: it plays all nodes and their pods, and answers as their kubelet.
func FakeKubelet(e Env) (Component, error) {
	log, err := e.render("pod.log", podLog, map[string]any{"Now": time.Now().UTC().Format(time.RFC3339)})
	if err != nil {
		return Component{}, err
	}
	config, err := e.render("kwok.yaml", kwokConfig, map[string]any{
		"Port":           e.Ports[Kwok],
		"Address":        e.Address(Kwok),
		"PodLog":         log,
		"TickerLog":      TickerLog(e),
		"PrometheusPort": e.Ports[Prometheus],
		"ExporterPort":   e.Ports[NodeExporter],
	})
	if err != nil {
		return Component{}, err
	}
	return Component{
		Spec: e.kube("kwok", "kwok", "--config="+KwokDefaults(e), "--config="+config,
			"--kubeconfig="+e.Kubeconfig("kwok"), "--manage-all-nodes=true",
			"--tls-cert-file="+e.PKI(certificateServing+".crt"), "--tls-private-key-file="+e.PKI(certificateServing+".key")),
		Ports: []string{Kwok},
		Ready: "http://" + e.Address(Kwok) + "/healthz",
	}, nil
}

// KwokDefaults is the file of what `kube kwok-defaults` prints.
func KwokDefaults(e Env) string { return filepath.Join(e.Dir, "kwok-defaults.yaml") }

// TickerLog is the log of containers called ticker, which Tick writes.
func TickerLog(e Env) string { return filepath.Join(e.Dir, "ticker.log") }

// podLog is what the containers of all pods have written, in the format of container runtimes; the same in every read,
// so that two ways to read it can be compared.
const podLog = `{{.Now}} stdout F starting
{{.Now}} stdout F listening on :9100
{{.Now}} stderr F warning: no configuration found, using defaults
{{.Now}} stdout F ready
`

// tickerLimit bounds the ticker's log, in bytes: 19 hours of lines, after which it starts again from nothing.
const tickerLimit = 4 << 20

// Tick writes one line a second to the ticker's log until done is closed.
func Tick(path string, done <-chan struct{}) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("cannot write the ticker's log: %w", err)
	}
	defer file.Close()
	every := time.NewTicker(time.Second)
	defer every.Stop()
	written := 0
	for n := 1; ; n++ {
		if written > tickerLimit {
			if err := file.Truncate(0); err != nil {
				return fmt.Errorf("cannot shorten the ticker's log: %w", err)
			}
			if _, err := file.Seek(0, 0); err != nil {
				return fmt.Errorf("cannot shorten the ticker's log: %w", err)
			}
			written = 0
		}
		bytes, err := fmt.Fprintf(file, "%s stdout F tick %d\n", time.Now().UTC().Format(time.RFC3339Nano), n)
		if err != nil {
			return fmt.Errorf("cannot write the ticker's log: %w", err)
		}
		written += bytes
		select {
		case <-done:
			return nil
		case <-every.C:
		}
	}
}
