package main

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/moduletest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/module/service/httpcall"
)

// TestKubeedge compiles the module once for all that follows.
func TestKubeedge(t *testing.T) {
	h := new(harness)
	policy := module.Policy{Limits: module.DefaultLimits(), Grants: service.Grants{HTTP: []string{"kubeedge"}}}
	moduletest.Ways(t, module.Services{Forward: h}, policy, func(t *testing.T, m *moduletest.Module) {
		h.native, h.wasm = m.Listen(t, &exchange.User{Name: "alice"})
		h.all(t)
	})
}

func (h *harness) all(t *testing.T) {
	t.Run("join", h.join)
	t.Run("passes on", h.passesOn)
	t.Run("stream", h.stream)
	t.Run("upgrade", h.upgrade)
	t.Run("dead backend", h.deadBackend)
	t.Run("deadline", h.deadline)
	t.Run("client leaves", h.clientLeaves)
	t.Run("not configured", h.notConfigured)
}

// harness is the module in front of backends that each test sets.
type harness struct {
	backends     atomic.Pointer[httpcall.Service]
	native, wasm string
}

// Forward implements module.Forwarder.
func (h *harness) Forward(x *exchange.Exchange, call *service.Call) service.Result {
	return h.backends.Load().Forward(x, call)
}

// each runs f with the base URL of the module, natively compiled and as WebAssembly.
func (h *harness) each(t *testing.T, backends map[string]httpcall.Backend, f func(t *testing.T, base string)) {
	t.Helper()
	s, err := httpcall.New(backends)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	h.backends.Store(s)
	t.Run("native", func(t *testing.T) { f(t, h.native+"/kapis/kubeedge.kubesphere.io") })
	t.Run("wasm", func(t *testing.T) { f(t, h.wasm+"/kapis/kubeedge.kubesphere.io") })
}

// to is edge-watcher at url, with time enough.
func to(url string) map[string]httpcall.Backend {
	return map[string]httpcall.Backend{"kubeedge": {URL: url, Timeout: time.Minute}}
}

func (h *harness) join(t *testing.T) {
	h.each(t, to(newWatcher(t).URL+"/api/"), func(t *testing.T, base string) {
		for query, want := range map[string]struct {
			code int
			data string
		}{
			"?node_name=edge-7&node_ip=192.0.2.7&add_default_taint=true": {200, "--edgenode-name=edge-7 --token=abc --with-edge-taint"},
			"?node_name=Edge_7&node_ip=192.0.2.7":                        {400, ""},
		} {
			r, body := do(t, "GET", base+"/v1alpha1/nodes/join"+query, "", nil)
			var answer struct {
				Code         int
				Status, Data string
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatalf("got %q: %v", body, err)
			}
			if r.StatusCode != want.code || answer.Code != want.code || !strings.HasSuffix(answer.Data, want.data) || r.Header.Get("Content-Type") != "text/json" {
				t.Errorf("%s: got %d %s", query, r.StatusCode, body)
			}
		}
	})
}

// passesOn: method, path and query as sent, headers and body go on; the user's credentials do not.
func (h *harness) passesOn(t *testing.T) {
	w := newWatcher(t)
	h.each(t, to(w.URL+"/api"), func(t *testing.T, base string) {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			sent := http.Header{"Authorization": {"Bearer secret"}, "Cookie": {"token=secret"}, "X-Mine": {"kept"}}
			r, body := do(t, method, base+"/v1/a%20b/%C3%BC;x=1/c?q=a+b&q=%20;&empty=", "payload", sent)
			if r.StatusCode != 202 {
				t.Fatalf("%s: got %d %s", method, r.StatusCode, body)
			}
			got := <-w.seen
			if want := "/api/v1/a%20b/%C3%BC;x=1/c?q=a+b&q=%20;&empty="; got.Method != method || got.URI != want || got.Body != "payload" {
				t.Errorf("got %s %s %q, want %s %s", got.Method, got.URI, got.Body, method, want)
			}
			if got.Header.Get("X-Mine") != "kept" || got.Header.Get("Authorization") != "" || got.Header.Get("Cookie") != "" {
				t.Errorf("got headers %v", got.Header)
			}
			if want := map[bool]string{true: "", false: method}[method == "HEAD"]; r.Header.Get("X-Edge") != "watcher" || body != want {
				t.Errorf("%s: got %d %q %v", method, r.StatusCode, body, r.Header)
			}
		}
		for path, want := range map[string]string{"": "/api/", "/": "/api/", "/v1alpha1": "/api/v1alpha1", "/v1?x": "/api/v1?x"} {
			if r, body := do(t, "GET", base+path, "", nil); r.StatusCode != 202 {
				t.Fatalf("%q: got %d %s", path, r.StatusCode, body)
			}
			if got := <-w.seen; got.URI != want {
				t.Errorf("%q: got %q, want %q", path, got.URI, want)
			}
		}
	})
}

// stream: each line's answer comes while the request's body is still open.
func (h *harness) stream(t *testing.T) {
	h.each(t, to(newWatcher(t).URL+"/api"), func(t *testing.T, base string) {
		body, lines := io.Pipe()
		r, err := http.Post(base+"/stream", "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Body.Close() }()
		answer := bufio.NewReader(r.Body)
		for _, line := range []string{"one\n", "two\n", "three\n"} {
			if _, err := io.WriteString(lines, line); err != nil {
				t.Fatal(err)
			}
			if got, err := answer.ReadString('\n'); got != "got "+line {
				t.Fatalf("got %q, %v, want %q", got, err, "got "+line)
			}
		}
		_ = lines.Close()
		if rest, err := io.ReadAll(answer); len(rest) > 0 || err != nil {
			t.Errorf("got %q, %v behind the last line", rest, err)
		}
	})
}

func (h *harness) upgrade(t *testing.T) {
	h.each(t, to(newWatcher(t).URL+"/api"), func(t *testing.T, base string) {
		host, _, _ := strings.Cut(strings.TrimPrefix(base, "http://"), "/")
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "GET /kapis/kubeedge.kubesphere.io/upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello\n")
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 101 ") || !strings.HasSuffix(string(answer), "\r\n\r\nHELLO\n") {
			t.Errorf("got %q, %v", answer, err)
		}
	})
}

func (h *harness) deadBackend(t *testing.T) {
	h.each(t, to(dead(t)), func(t *testing.T, base string) {
		wantStatus(t, base, 502, "cannot reach edge-watcher")
	})
}

func (h *harness) deadline(t *testing.T) {
	w := newWatcher(t)
	short := map[string]httpcall.Backend{"kubeedge": {URL: w.URL + "/api", Timeout: 50 * time.Millisecond}}
	h.each(t, short, func(t *testing.T, base string) {
		wantStatus(t, base+"/hang", 504, "did not answer in time")
		<-w.left
	})
}

// clientLeaves: edge-watcher's side ends with the client.
func (h *harness) clientLeaves(t *testing.T) {
	w := newWatcher(t)
	h.each(t, to(w.URL+"/api"), func(t *testing.T, base string) {
		host, _, _ := strings.Cut(strings.TrimPrefix(base, "http://"), "/")
		conn, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, "GET /kapis/kubeedge.kubesphere.io/hang HTTP/1.1\r\nHost: h\r\n\r\n")
		<-w.seen
		_ = conn.Close()
		<-w.left
	})
}

func (h *harness) notConfigured(t *testing.T) {
	h.each(t, nil, func(t *testing.T, base string) {
		wantStatus(t, base+"/v1alpha1/nodes/join", 503, "set kubeedge.endpoint in kubesphere.yaml")
	})
}

// wantStatus asks for url and expects a Status of this code whose message contains text.
func wantStatus(t *testing.T, url string, code int, text string) {
	t.Helper()
	r, body := do(t, "GET", url, "", nil)
	var status struct {
		Kind, Status, Message string
		Code                  int
	}
	if err := json.Unmarshal([]byte(body), &status); err != nil {
		t.Fatalf("got %d %q: %v", r.StatusCode, body, err)
	}
	if r.StatusCode != code || status.Code != code || status.Kind != "Status" || status.Status != "Failure" || !strings.Contains(status.Message, text) {
		t.Errorf("got %d %s, want %d and %q", r.StatusCode, body, code, text)
	}
}

func do(t *testing.T, method, url, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r, string(text)
}
