package httpwasm

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
)

// TestFailure has the guest fail in every way it can: the client gets a Status, and the next request a new instance.
func TestFailure(t *testing.T) {
	small := options{"limits": map[string]any{
		"requestBytes": 1000, "responseBytes": "1000B", "memory": "1MiB", "cpuPerCall": "20ms",
	}}
	for _, c := range []struct {
		name, script string
		path, body   string
		code         int
		text         string
	}{
		{name: "trap", script: "req trap", code: 502, text: `filter \"test\" failed`},
		{name: "trap behind the answer", script: "res trap", code: 502},
		{name: "trap behind a streamed answer", script: "res trap", path: "/chunks", code: 502},
		{name: "endless loop", script: "req spin", code: 504, text: "in time"},
		{name: "endless loop behind the answer", script: "res spin", code: 504},
		{name: "all memory taken", script: "req grow\nreq trap", code: 502},
		{name: "a pointer beyond memory", script: "req wild", code: 502},
		{name: "a body larger than the limit", script: "start enable 1\nreq readall 0", body: long, code: 413},
		{name: "an answer larger than the limit", script: "start enable 2\nres readall 1", path: "/long", code: 502, text: "larger"},
		{name: "an answer made too large", script: "start enable 2\nres read 1 4\n" + strings.Repeat("res write 1 "+strings.Repeat("x", 90)+"\n", 12), code: 502},
		{name: "reading nothing", script: "req read 0 0", code: 502},
		{name: "no such kind of body", script: "req read 2 9", code: 502},
		{name: "no such kind of header", script: "req names 4", code: 502},
		{name: "no header name", script: "req set 0", code: 502},
		{name: "a header value with a control byte", script: "req set 0 x-a \x01", code: 502},
		{name: "no method", script: "req set_method", code: 502},
		{name: "CONNECT", script: "req set_method CONNECT", code: 502},
		{name: "HEAD for GET", script: "req set_method HEAD", code: 502},
		{name: "a URI that is none", script: "req set_uri http://elsewhere/", code: 502},
		{name: "a path that two servers could read differently", script: "req set_uri /a/%2e%2e/b", code: 400},
		{name: "a status that ends nothing", script: "req stop\nreq set_status 101", code: 502},
		{name: "the request changed behind the answer", script: "res set 0 x-a 1", code: 502},
		{name: "the answer's body read without buffering", script: "res read 1 9", code: 502},
		{name: "the answer's body written without buffering", script: "res write 1 x", code: 502},
		{name: "trailers written without buffering", script: "res set 3 x-a 1", code: 502},
		{name: "the request's body read behind the answer", script: "res read 0 9", code: 502},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := makeFilter(t, script, c.script, small)
			url := serve(t, f, proxy(t, backend))
			for range 2 { // the second one has an instance of its own
				got := ask(t, "POST", url+c.path, c.body)
				if got.code != c.code || !strings.Contains(got.body, `"kind":"Status"`) || !strings.Contains(got.body, c.text) {
					t.Errorf("%d %.200s, want %d with %q", got.code, got.body, c.code, c.text)
				}
				if got.header.Get("X-Backend") != "" {
					t.Error("headers of the backend are left on the refusal")
				}
			}
			if n := f.current.Load().program.Stats().Instances.Load(); n > 1 {
				t.Errorf("%d instances are left", n)
			}
		})
	}
}

func TestFailOpen(t *testing.T) {
	for _, c := range []struct {
		script string
		code   int
	}{
		{"req trap", 200},
		{"res trap", 200},
		{"req set 0 x-a 1\nreq trap", 502}, // half changed is not what the client asked
		{"start enable 2\nres write 1 x\nres trap", 502},
		{"start enable 1\nreq read 0 1\nreq trap", 502},
	} {
		got := ask(t, "POST", front(t, c.script, options{"failOpen": true}), "abc")
		if got.code != c.code || c.code == 200 && !strings.Contains(got.body, "body=abc\n") {
			t.Errorf("%q: %d %q, want %d", c.script, got.code, got.body, c.code)
		}
	}
}

// TestFailingGuestIsLeftAlone has a guest trap until no more instances are made for it.
func TestFailingGuestIsLeftAlone(t *testing.T) {
	f := makeFilter(t, script, "req trap", nil)
	url := serve(t, f, proxy(t, echo))
	for range maxFailures + 20 {
		if got := ask(t, "GET", url, ""); got.code != 502 {
			t.Fatalf("%d %s", got.code, got.body)
		}
	}
	if n := f.current.Load().program.Stats().Traps.Load(); n < maxFailures || n >= maxFailures+20 {
		t.Errorf("%d instances were lost, want %d and those of a few probes", n, maxFailures)
	}
}

// held is a backend that answers when it is told to.
type held struct {
	came chan string
	free chan struct{}
}

func (h *held) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.came <- r.URL.Path
	select {
	case <-h.free:
	case <-r.Context().Done():
	}
	_, _ = io.WriteString(w, "done")
}

// TestPoolIsBounded fills the pool: who finds no room in time is told so.
func TestPoolIsBounded(t *testing.T) {
	h := &held{make(chan string, 10), make(chan struct{})}
	f := makeFilter(t, script, "", options{"poolSize": 2, "queueWait": "10ms"})
	url := serve(t, f, proxy(t, h))
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if got := ask(t, "GET", url+"/", ""); got.code != 200 {
				t.Errorf("%d %s", got.code, got.body)
			}
		})
		<-h.came
	}
	got := ask(t, "GET", url+"/", "")
	if got.code != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %s, want 503", got.code, got.body)
	}
	if n := f.current.Load().program.Stats().Instances.Load(); n != 2 {
		t.Errorf("%d instances, want 2", n)
	}
	close(h.free)
	all.Wait()
	if got := ask(t, "GET", url+"/", ""); got.code != 200 {
		t.Errorf("afterwards: %d", got.code)
	}
}

// TestLongRunning has watches that wait for their answer's head, each in an instance, and others that have it: the former
// take at most half of the pool, the latter nothing, and no guest holds back what they send.
func TestLongRunning(t *testing.T) {
	const watch = "/api/v1/pods?watch=true"
	began, free := make(chan struct{}, 10), make(chan struct{})
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("silent") != "" {
			began <- struct{}{}
			select {
			case <-free:
			case <-r.Context().Done():
			}
			return
		}
		_, _ = io.WriteString(w, "event\n")
		_ = http.NewResponseController(w).Flush()
		select {
		case <-free:
		case <-r.Context().Done():
		}
	})
	f := makeFilter(t, script, "start enable 7\nres set 1 x-seen 1", options{"poolSize": 2, "queueWait": "10ms"})
	url := serve(t, f, proxy(t, h))
	ctx, cancel := context.WithCancel(t.Context())
	var watches sync.WaitGroup
	for range 5 { // more than the pool has instances
		r, err := http.NewRequestWithContext(ctx, "GET", url+watch, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		event := make([]byte, 6)
		if _, err := io.ReadFull(resp.Body, event); err != nil || resp.Header.Get("X-Seen") != "1" {
			t.Fatalf("%d %q %v, %v", resp.StatusCode, event, resp.Header, err)
		}
	}
	watches.Go(func() {
		if r, err := http.NewRequestWithContext(ctx, "GET", url+watch+"&silent=1", nil); err == nil {
			if resp, err := http.DefaultClient.Do(r); err == nil {
				resp.Body.Close()
			}
		}
	})
	<-began
	if got := ask(t, "GET", url+watch+"&silent=2", ""); got.code != 503 {
		t.Errorf("a watch beyond half of the pool: %d, want 503", got.code)
	}
	close(free)
	if got := ask(t, "GET", url+"/api/v1/pods", ""); got.code != 200 {
		t.Errorf("a short request: %d %s", got.code, got.body)
	}
	cancel()
	watches.Wait()
}

// TestLongRunningIsNotBuffered fails closed: a guest that must see a body does not see that of a watch, so nobody does.
func TestLongRunningIsNotBuffered(t *testing.T) {
	url := serve(t, makeFilter(t, script, "start enable 2\nres readall 1", nil), proxy(t, backend))
	if got := ask(t, "GET", url+"/api/v1/pods?watch=true", ""); got.code != 502 {
		t.Errorf("%d %q", got.code, got.body)
	}
	url = serve(t, makeFilter(t, script, "req enable 2\nreq out 1 X-Out", nil), proxy(t, backend))
	if got := ask(t, "GET", url+"/api/v1/pods?watch=true", ""); got.header.Get("X-Out") != "0" {
		t.Errorf("features %q, want 0", got.header.Get("X-Out"))
	}
}

// TestPanicBehind has what stands behind panic: the guest is told of an error, and its instance serves on.
func TestPanicBehind(t *testing.T) {
	f := makeFilter(t, script, "req next 9", nil)
	url := serve(t, f, func(x *exchange.Exchange) {
		if string(x.HTTP.Path()) == "/panic" {
			panic("behind")
		}
	})
	if got := ask(t, "GET", url+"/panic", ""); got.code != 500 {
		t.Errorf("%d", got.code)
	}
	if got := ask(t, "GET", url+"/", ""); got.code != 200 {
		t.Errorf("%d", got.code)
	}
	if n := f.current.Load().program.Stats().Instances.Load(); n != 1 {
		t.Errorf("%d instances, want the one there was", n)
	}
}

// TestReload changes the guest's file while requests come and one is held: it ends in the old guest, none fails, and the
// old guest is gone then. A file that is no guest changes nothing.
func TestReload(t *testing.T) {
	file := filepath.Join(t.TempDir(), "guest.wasm")
	place(t, script, file)
	log := newLines()
	engine := newEngine(t)
	made, err := open(settingsOf(t, file, "req calls\nreq out 1 X-Out", options{"reload": "10ms"}), environment(engine, log))
	if err != nil {
		t.Fatal(err)
	}
	f := made.(*Filter)
	t.Cleanup(func() { _ = f.Close() })
	h := &held{make(chan string, 10), make(chan struct{})}
	url := serve(t, f, proxy(t, h))
	old := f.current.Load()
	var all sync.WaitGroup
	all.Go(func() {
		if got := ask(t, "GET", url+"/", ""); got.code != 200 || got.header.Get("X-Out") != "1" {
			t.Errorf("%d %q", got.code, got.header.Get("X-Out"))
		}
	})
	<-h.came

	if err := os.WriteFile(file, []byte("no guest"), 0o600); err != nil {
		t.Fatal(err)
	}
	if line := log.await(t, "cannot load the changed"); !strings.Contains(line, old.program.Digest()) {
		t.Errorf("%s does not say what serves", line)
	}
	if f.current.Load() != old {
		t.Fatal("a file that is no guest took over")
	}
	changed := filepath.Join(t.TempDir(), "other.wasm")
	b, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed, append(b, 0, 2, 1, 'x'), 0o600); err != nil { // a custom section
		t.Fatal(err)
	}
	place(t, changed, file)
	log.await(t, "changed http-wasm guest serves")
	if now := f.current.Load(); now == old || now.program.Digest() == old.program.Digest() {
		t.Error("the old guest serves")
	}
	if n := old.program.Stats().Instances.Load(); n != 1 {
		t.Errorf("the old guest has %d instances while it has a request", n)
	}
	close(h.free)
	all.Wait()
	for deadline := time.Now().Add(10 * time.Second); old.program.Stats().Memory.Load() != 0; {
		if time.Now().After(deadline) {
			t.Fatal("the old guest keeps its memory")
		}
		time.Sleep(time.Millisecond)
	}
	if got := ask(t, "GET", url+"/", ""); got.code != 200 {
		t.Errorf("%d", got.code)
	}
}

// TestTunnel has a client upgrade its connection through a guest that asks for all there is: the guest sees the answer's
// head, holds nothing back, and has no instance while the tunnel lasts.
func TestTunnel(t *testing.T) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, buf)
	})
	f := makeFilter(t, script, "start enable 7\nres set 1 x-seen 1\nres del 1 x-backend", options{"poolSize": 2, "queueWait": "10ms"})
	url := serve(t, f, proxy(t, h))
	for range 4 { // more than the pool has instances
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		_, _ = io.WriteString(conn, "GET /api/v1/namespaces/a/pods/b/exec HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		lines := bufio.NewReader(conn)
		head, err := http.ReadResponse(lines, nil)
		if err != nil || head.StatusCode != 101 {
			t.Fatalf("%v %v", head, err)
		}
		_, _ = io.WriteString(conn, "echo\n")
		if line, err := lines.ReadString('\n'); line != "echo\n" {
			t.Errorf("%q %v", line, err)
		}
	}
}
