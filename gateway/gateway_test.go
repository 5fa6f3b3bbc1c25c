package gateway

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
)

// TestStartsDegraded has kube-apiserver come later than the gateway.
func TestStartsDegraded(t *testing.T) {
	c := newCluster(t)
	c.set(true)
	g := run(t, c.configuration(t))
	code, body := get(g.admin + "/readyz")
	if code != 500 || !strings.Contains(body, "[-]users-and-roles failed") {
		t.Errorf("readyz: %d %s", code, body)
	}
	if code, body := get(g.admin + "/livez"); code != 200 {
		t.Errorf("livez: %d %s", code, body)
	}
	if code, body := get(g.http + "/api/v1/pods"); code != 503 {
		t.Errorf("a request meanwhile: %d %s", code, body)
	}
	c.set(false)
	g.ready()
	if code, body := get(g.http + "/api/v1/pods"); code != 200 || !strings.Contains(body, `"List"`) {
		t.Errorf("a request: %d %s", code, body)
	}
}

// TestReload changes what may change while a watch is open.
func TestReload(t *testing.T) {
	c := newCluster(t)
	first := c.configuration(t)
	g := run(t, first).ready()
	t.Cleanup(func() { zerolog.SetGlobalLevel(zerolog.InfoLevel) })
	watch := g.watching()
	c.see(t, watch, "one")
	if as := c.askedAs(); as != "system:anonymous" {
		t.Errorf("kube-apiserver was asked as %q", as)
	}
	second := changed(first, func(o *config.Config) {
		o.Postern.Log.Level, o.Postern.Kube.Identity = "error", config.IdentityPlain
	})
	if err := g.Reload(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	c.see(t, watch, "two")
	if code, _ := get(g.http + "/api/v1/pods"); code != 200 || c.askedAs() != "" || zerolog.GlobalLevel() != zerolog.ErrorLevel {
		t.Errorf("after the reload: %d as %q, level %v", code, c.askedAs(), zerolog.GlobalLevel())
	}
	third := changed(second, func(o *config.Config) { o.Postern.Anonymous.Allow = false })
	if err := g.Reload(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	if code, _ := get(g.http + "/api/v1/pods"); code != 401 {
		t.Errorf("anonymous: %d", code)
	}
	c.see(t, watch, "three")
	if n := g.long.current.Load().limit.Stats().LongRunning; n != 1 {
		t.Errorf("%d long-running requests are counted after two reloads", n)
	}
}

// TestBadReload has a configuration that is wrong at its end: nothing of it may be in use, and nothing of it left.
func TestBadReload(t *testing.T) {
	c := newCluster(t)
	first := c.configuration(t)
	g := run(t, first).ready()
	before, snapshot := g.long.current.Load(), g.current.Load()
	err := g.Reload(t.Context(), changed(first, func(o *config.Config) {
		o.Postern.Kube.Identity, o.Postern.Limits.MaxRequestsInFlight = config.IdentityPlain, 1
		o.Monitoring.Endpoint = "http://127.0.0.1:1"
		o.Postern.Backends = map[string]config.Backend{"b": {URL: "https://127.0.0.1:1", CAFile: "/does/not/exist"}}
	}))
	if err == nil || !strings.Contains(err.Error(), "authorities") {
		t.Fatalf("got %v", err)
	}
	if g.long.current.Load() != before || g.current.Load() != snapshot || len(g.long.retired) != 0 {
		t.Error("something of it is in use")
	}
	if code, _ := get(g.http + "/api/v1/pods"); code != 200 || c.askedAs() != "system:anonymous" {
		t.Errorf("%d as %q", code, c.askedAs())
	}
}

// TestDrain ends a gateway under a request and a watch.
func TestDrain(t *testing.T) {
	c := newCluster(t)
	g := run(t, c.configuration(t)).ready()
	watch := g.watching()
	c.see(t, watch, "one")
	answer := make(chan string, 1)
	go func() {
		_, body := get(g.http + "/api/v1/slow")
		answer <- body
	}()
	<-c.slow
	g.stop()
	if rest, err := io.ReadAll(watch); err != nil || len(rest) != 0 {
		t.Errorf("the watch ended with %q, %v", rest, err)
	}
	code, body := get(g.admin + "/readyz")
	if code != 500 || !strings.Contains(body, "shutting down") {
		t.Errorf("readyz: %d %s", code, body)
	}
	eventually(t, "new connections are refused", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(g.http, "http://"))
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
	select {
	case err := <-g.ended:
		t.Fatalf("ended before its request: %v", err)
	default:
	}
	close(c.finish)
	if body := <-answer; body != "done at last" {
		t.Errorf("the request got %q", body)
	}
	err := <-g.ended
	g.ended <- nil // for the cleanup
	if err != nil {
		t.Error(err)
	}
	if err := g.Reload(t.Context(), changed(c.configuration(t), func(*config.Config) {})); err == nil {
		t.Error("reloads after its end")
	}
}

// TestAddressInUse: what cannot run frees what it took; goleak looks.
func TestAddressInUse(t *testing.T) {
	c := newCluster(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	for name, change := range map[string]func(*config.Config){
		"address in use": func(o *config.Config) { o.Postern.Listen.Address = ln.Addr().String() },
		"admin in use":   func(o *config.Config) { o.Postern.Admin.Address = ln.Addr().String() },
		"certificate is not": func(o *config.Config) {
			o.Postern.Listen.TLS.Address, o.Postern.Listen.TLS.CertFile = "127.0.0.1:0", "/none"
		},
	} {
		g, err := New(t.Context(), Options{Config: changed(c.configuration(t), change), Out: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Run(t.Context()); err == nil {
			t.Errorf("%s: runs", name)
		}
	}
	for name, change := range map[string]func(*config.Config){
		"no kubeconfig": func(o *config.Config) { o.Kubernetes.Kubeconfig = "/none" },
		"no level":      func(o *config.Config) { o.Postern.Log.Level = "loud" },
		"no authorities": func(o *config.Config) {
			o.Postern.Backends = map[string]config.Backend{"b": {URL: "https://127.0.0.1:1", CAFile: "/none"}}
		},
	} {
		if _, err := New(t.Context(), Options{Config: changed(c.configuration(t), change), Out: io.Discard}); err == nil {
			t.Errorf("%s: is made", name)
		}
	}
}

// TestAdmin reads what operators read.
func TestAdmin(t *testing.T) {
	c := newCluster(t)
	o := c.configuration(t)
	o.Authentication.JWTSecret = "a-secret-that-nobody-may-see-0123"
	if err := os.MkdirAll(o.Postern.Modules.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bad\xff.wasm", "bad\xfe.wasm", "worse.wasm"} {
		if err := os.WriteFile(filepath.Join(o.Postern.Modules.Dir, name), []byte("no module"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(o.Postern.Modules.Dir, "good.wasm"), guests.Saying(t, "hi", ""), 0o600); err != nil {
		t.Fatal(err)
	}
	g := run(t, o).ready()
	get(g.http + "/api/v1/pods")
	_, text := get(g.admin + "/config")
	if strings.Contains(text, "nobody-may-see") || object(t, text, "authentication", "jwtSecret") != config.Mask {
		t.Errorf("the secret: %v", object(t, text, "authentication", "jwtSecret"))
	}
	if code, text := get(g.admin + "/modules"); code != 200 || strings.Count(text, "not a WebAssembly") != 3 {
		t.Errorf("modules: %d %s", code, text)
	}
	if code, text := get(g.admin + "/readyz?verbose"); code != 200 || !strings.Contains(text, "[+]modules ok: ") || !strings.Contains(text, "worse.wasm") {
		t.Errorf("readyz: %d %s", code, text)
	}
	code, text := get(g.admin + "/metrics")
	for _, want := range []string{
		"postern_connections{", "ks_server_request_total{", `postern_module_file_failed{file="worse.wasm"} 1`, "postern_upstream_dials_total 1",
		`postern_module_instances{module="assembled"} 1`, `postern_module_traps_total{kind="deadlock",module="assembled"} 0`,
		`postern_module_limit_reached_total{limit="sendBytes",module="assembled"} 0`, `limit="cpuPerCall",module="assembled"} 1`,
		`postern_module_request_duration_seconds_bucket{module="assembled",le="0.001"} 0`,
	} {
		if code != 200 || !strings.Contains(text, want) {
			t.Errorf("metrics: %d, no %q", code, want)
		}
	}
	listed, err := os.ReadFile("module/README.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		name, isName := strings.CutPrefix(line, "# TYPE postern_module_")
		name, _, _ = strings.Cut(name, " ")
		if isName && !strings.Contains(string(listed), "`"+name+"`") && !strings.Contains(string(listed), "`"+name+"{") {
			t.Errorf("module/README.md does not list postern_module_%s", name)
		}
	}
	problems, err := testutil.GatherAndLint(g.registry)
	if err != nil {
		t.Error(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "postern_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestExplainAUser reads the user from the cluster; without one the cluster is not needed.
func TestExplainAUser(t *testing.T) {
	c := newCluster(t)
	o := c.configuration(t)
	r := ExplainRequest{Method: "GET", Path: "/api/v1/namespaces/n/pods/p", User: "alice"}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	findings, info, err := Explain(ctx, o, r)
	if err != nil || len(findings) == 0 || info.Namespace != "n" {
		t.Fatalf("%+v, %+v, %v", findings, info, err)
	}
	if last := findings[len(findings)-1]; last.Stage != "kubeproxy" || last.Verdict != exchange.Answer {
		t.Errorf("%+v", last)
	}
	r.User = "nobody-of-that-name"
	if _, _, err := Explain(ctx, o, r); err == nil || !strings.Contains(err.Error(), r.User) {
		t.Errorf("an unknown user: %v", err)
	}
	c.set(true)
	r.User = ""
	if findings, _, err := Explain(ctx, o, r); err != nil || len(findings) == 0 {
		t.Errorf("without a user: %v", err)
	}
}
