package admin

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server with the readiness checks; its base URL.
func serve(t *testing.T, ready ...Check) string {
	t.Helper()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "postern_test_total", Help: "Tests."})
	registry.MustRegister(counter)
	s := New(Options{
		Gatherer: registry, Live: func() []Check { return []Check{well("ping")} }, Ready: func() []Check { return ready },
		Modules: func() any { return []string{"hello"} },
		Config:  func() any { return map[string]any{"of": make(chan int)} }, // does not marshal
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
	return "http://" + ln.Addr().String()
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
		{"GET", "/modules", 200, "[\n  \"hello\"\n]\n"},
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
