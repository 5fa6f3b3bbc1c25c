package components

import (
	_ "embed"
	"path/filepath"
)

//go:embed prometheus.yml.tmpl
var prometheusConfig string

// PrometheusServer scrapes everything but the edge nodes. binary is where it was found; cloud are the nodes that are scraped.
func PrometheusServer(e Env, binary string, cloud []string) (Component, error) {
	config, err := e.render("prometheus.yml", prometheusConfig, map[string]any{
		"NodeExporter": e.Address(NodeExporter),
		"StateMetrics": e.Address(StateMetrics),
		"Kwok":         e.Address(Kwok),
		"APIServer":    e.Address(APIServer),
		"Etcd":         e.Address(Etcd),
		"Prometheus":   e.Address(Prometheus),
		"CA":           e.PKI("ca.crt"),
		"Cert":         e.PKI("prometheus.crt"),
		"Key":          e.PKI("prometheus.key"),
		"Nodes":        cloud,
	})
	if err != nil {
		return Component{}, err
	}
	c := Component{
		Ports: []string{Prometheus},
		Ready: "http://" + e.Address(Prometheus) + "/-/ready",
	}
	c.Name, c.Path, c.Dir, c.Wave = "prometheus", binary, e.Dir, clientWave
	c.Args = []string{
		"--config.file=" + config, "--storage.tsdb.path=" + filepath.Join(e.Dir, "prometheus"),
		"--storage.tsdb.retention.time=2d", "--web.listen-address=" + e.Address(Prometheus), "--log.level=warn",
	}
	return c, nil
}
