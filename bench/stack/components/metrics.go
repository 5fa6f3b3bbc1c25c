package components

import "path/filepath"

// MetricsAPI is metrics-server: the usage of nodes and pods, for kubectl top and for edge nodes.
func MetricsAPI(e Env) Component {
	kubeconfig := e.Kubeconfig("metrics-server")
	return Component{
		Spec: e.kube("metrics-server", "metrics-server", "--kubeconfig="+kubeconfig,
			"--authentication-kubeconfig="+kubeconfig, "--authorization-kubeconfig="+kubeconfig,
			"--bind-address=127.0.0.1", "--secure-port="+port(e, MetricsServer),
			"--tls-cert-file="+e.PKI(certificateServing+".crt"), "--tls-private-key-file="+e.PKI(certificateServing+".key"),
			// kwok's certificate names loopback, not the nodes.
			"--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP", "--kubelet-use-node-status-port",
			// The shortest resolution that it accepts; it has to be longer than the timeout. First figures come after two scrapes.
			"--metric-resolution=10s", "--kubelet-request-timeout=5s"),
		Ports: []string{MetricsServer},
		Ready: "https://" + e.Address(MetricsServer) + "/livez",
	}
}

// StateMetricsExporter is kube-state-metrics: the state of objects as series.
func StateMetricsExporter(e Env) Component {
	return Component{
		Spec: e.kube("kube-state-metrics", "state-metrics", "--kubeconfig="+e.Kubeconfig("kube-state-metrics"),
			"--host=127.0.0.1", "--port="+port(e, StateMetrics),
			"--telemetry-host=127.0.0.1", "--telemetry-port="+port(e, StateMetricsSelf)),
		Ports: []string{StateMetrics, StateMetricsSelf},
		Ready: "http://" + e.Address(StateMetrics) + "/healthz",
	}
}

// NodeMetrics is node_exporter, of this machine; binary is where it was found.
func NodeMetrics(e Env, binary string) Component {
	c := Component{
		Ports: []string{NodeExporter},
		Ready: "http://" + e.Address(NodeExporter) + "/metrics",
	}
	c.Name, c.Path, c.Dir, c.Wave = "node-exporter", binary, e.Dir, clientWave
	c.Args = []string{
		"--web.listen-address=" + e.Address(NodeExporter),
		"--no-collector.systemd", // only logs errors where systemd does not run
		"--collector.textfile.directory=" + filepath.Join(e.Dir, "textfile"),
	}
	return c
}
