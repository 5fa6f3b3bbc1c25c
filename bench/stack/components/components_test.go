package components

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"sigs.k8s.io/yaml"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func testEnv(t *testing.T) Env {
	t.Helper()
	e := Env{Root: "/root of the repository", Bin: "/bin", Dir: t.TempDir(), Ports: map[string]int{}}
	for i, name := range []string{Etcd, APIServer, Kwok, StateMetrics, NodeExporter, Prometheus, Gateway, GatewayTLS, GatewayAdmin} {
		e.Ports[name] = 1000 + i
	}
	return e
}

// documents reads a stream of YAML strictly: no key twice.
func documents(t *testing.T, path string) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for _, text := range strings.Split(string(data), "\n---\n") {
		document := map[string]any{}
		if err := yaml.UnmarshalStrict([]byte(text), &document); err != nil {
			t.Fatalf("%s: %v\n%s", path, err, text)
		}
		all = append(all, document)
	}
	return all
}

func TestConfigurationsAreYAML(t *testing.T) {
	e := testEnv(t)
	if _, err := PrometheusServer(e, "/usr/bin/prometheus", []string{"cloud-1", "cloud-2"}); err != nil {
		t.Fatal(err)
	}
	config := documents(t, filepath.Join(e.Dir, "prometheus.yml"))[0]
	if jobs := config["scrape_configs"].([]any); len(jobs) != 6 {
		t.Errorf("Prometheus has %d jobs, want 6", len(jobs))
	}
	if _, err := FakeKubelet(e); err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{}
	for _, document := range documents(t, filepath.Join(e.Dir, "kwok.yaml")) {
		kinds[document["kind"].(string)] = true
	}
	for _, kind := range []string{"KwokConfiguration", "ClusterLogs", "ClusterAttach", "ClusterExec", "ClusterPortForward", "Metric"} {
		if !kinds[kind] {
			t.Errorf("kwok's configuration has no %s", kind)
		}
	}
	gateway, err := GatewayServer(e, filepath.Join(e.Dir, "kubesphere.yaml"), GatewaySettings{Secret: "s", Edge: ""})
	if err != nil {
		t.Fatal(err)
	}
	documents(t, gateway.Args[2])
}

func TestTickWritesUntilToldOtherwise(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ticker.log")
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- Tick(path, done) }()
	for end := time.Now().Add(20 * time.Second); ; {
		data, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(data), " stdout F tick 1\n") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("no line: %q (%v)", data, err)
		}
	}
	close(done)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
