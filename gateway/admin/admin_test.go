package admin

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1")) // once for the process
}

const secret = "0123456789abcdef0123456789abcdef"

// serve runs a server with the readiness checks; its base URL.
func serve(t *testing.T, ready ...Check) string {
	t.Helper()
	url, _ := serveModules(t, "127.0.0.1:0", ready...)
	return url
}

// serveModules runs a server of a listener that is said to be at address, with modules of a temporary folder, which it
// returns.
func serveModules(t *testing.T, address string, ready ...Check) (url, dir string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "postern_test_total", Help: "Tests."})
	registry.MustRegister(counter)
	dir = t.TempDir()
	s := New(Options{
		Gatherer: registry, Live: func() []Check { return []Check{well("ping")} }, Ready: func() []Check { return ready },
		Modules: modulesOf(t, dir), Address: address, Token: secret,
		Config: func() any { return map[string]any{"of": make(chan int)} }, // does not marshal
		Routes: func() any { return []string{"hello"} },
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), <-ended); err != nil {
			t.Error(err)
		}
		if _, err := net.DialTimeout("tcp", ln.Addr().String(), time.Second); err == nil {
			t.Error("it listens after Close")
		}
	})
	return "http://" + ln.Addr().String(), dir
}

// managers are those that run, by folder.
var managers = map[string]*manager.Manager{}

// modulesOf runs a manager of a folder.
func modulesOf(t *testing.T, dir string) *manager.Manager {
	t.Helper()
	engine, err := module.NewEngine(t.Context(), module.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	m := manager.New(engine, manager.Options{
		Dir: dir, Interval: 20 * time.Millisecond, Log: zerolog.Nop(),
		Policy: func(string) module.Policy { return module.Policy{Limits: module.DefaultLimits()} },
	})
	managers[dir] = m
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

func well(name string) Check { return Check{Name: name, Test: func() error { return nil }} }

func ill(name, why string) Check {
	return Check{Name: name, Test: func() error { return errors.New(why) }}
}

func noted(c Check, note string) Check {
	c.Note = func() string { return note }
	return c
}

func ask(t *testing.T, method, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestHealth(t *testing.T) {
	good := serve(t, well("ping"), noted(well("modules"), "one is odd"))
	bad := serve(t, well("ping"), ill("cluster", "far away"), noted(ill("modules"+"-read", "not yet"), "soon"))
	for _, c := range []struct {
		url  string
		code int
		body string
	}{
		{good + "/livez", 200, "ok"},
		{good + "/livez/ping", 200, "ok"},
		{good + "/livez?verbose", 200, "[+]ping ok\nlivez check passed\n"},
		{good + "/readyz", 200, "ok"},
		{good + "/healthz", 200, "ok"},
		{good + "/readyz?verbose", 200, "[+]ping ok\n[+]modules ok: one is odd\nreadyz check passed\n"},
		{good + "/readyz?verbose&exclude=modules", 200, "[+]ping ok\n[+]modules excluded: ok\nreadyz check passed\n"},
		{good + "/readyz/unknown", 404, "404 page not found\n"},
		{bad + "/livez", 200, "ok"},
		{bad + "/readyz", 500, "[+]ping ok\n[-]cluster failed: far away\n[-]modules-read failed: not yet: soon\nreadyz check failed\n"},
		{bad + "/readyz/ping", 200, "ok"},
		{bad + "/readyz/cluster", 500, "[-]cluster failed: far away\nreadyz check failed\n"},
		{bad + "/readyz?exclude=cluster", 500, "[+]ping ok\n[+]cluster excluded: ok\n[-]modules-read failed: not yet: soon\nreadyz check failed\n"},
		{bad + "/readyz?exclude=cluster&exclude=modules-read", 200, "ok"},
	} {
		if code, body := ask(t, "GET", c.url); code != c.code || body != c.body {
			t.Errorf("%s: %d %q, want %d %q", c.url[strings.LastIndex(c.url, ":"):], code, body, c.code, c.body)
		}
	}
}

func TestShown(t *testing.T) {
	base := serve(t)
	for _, c := range []struct {
		method, path string
		code         int
		says         string
	}{
		{"GET", "/metrics", 200, "postern_test_total 0"},
		{"GET", "/routes", 200, "[\n  \"hello\"\n]\n"},
		{"GET", "/modules", 200, "[]\n"},
		{"GET", "/config", 500, "unsupported type"},
		{"GET", "/debug/pprof/goroutine?debug=1", 200, "goroutine profile"},
		{"GET", "/debug/pprof/cmdline", 404, ""}, // flags may hold secrets
		{"POST", "/modules", 405, ""},
		{"DELETE", "/config", 405, ""},
		{"GET", "/", 404, ""},
	} {
		if code, body := ask(t, c.method, base+c.path); code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %.200q, want %d %q", c.method, c.path, code, body, c.code, c.says)
		}
	}
}
