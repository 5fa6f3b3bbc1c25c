package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posternhq/postern/config"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// cluster is as much of kube-apiserver as a gateway needs: empty lists but for one user, watches, and a slow request.
type cluster struct {
	*httptest.Server
	mu     sync.Mutex
	down   bool
	as     string        // Impersonate-User of the last request that was proxied
	events chan string   // what watches of pods send
	slow   chan struct{} // a slow request has come
	finish chan struct{} // it may end
	ending chan struct{} // closed at the end of the test
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{
		events: make(chan string), slow: make(chan struct{}, 1), finish: make(chan struct{}), ending: make(chan struct{}),
	}
	c.Server = httptest.NewTLSServer(c)
	t.Cleanup(func() {
		close(c.ending)
		c.CloseClientConnections()
		c.Close()
	})
	return c
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	proxied := r.Header.Get("X-Forwarded-For") != ""
	c.mu.Lock()
	down := c.down
	if proxied {
		c.as = r.Header.Get("Impersonate-User")
	}
	c.mu.Unlock()
	switch {
	case down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case strings.HasSuffix(r.URL.Path, "/slow"):
		c.slow <- struct{}{}
		<-c.finish
		_, _ = io.WriteString(w, "done at last")
	case r.URL.Query().Has("watch"):
		c.watch(w, r, proxied)
	case strings.HasSuffix(r.URL.Path, "/users"):
		_, _ = io.WriteString(w, `{"kind":"UserList","metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"alice","resourceVersion":"1"},"status":{"state":"Active"}}]}`)
	default:
		_, _ = io.WriteString(w, `{"kind":"List","metadata":{"resourceVersion":"1"},"items":[]}`)
	}
}

// watch sends the test's events to watches through the gateway, and nothing to the gateway's own.
func (c *cluster) watch(w http.ResponseWriter, r *http.Request, proxied bool) {
	_ = http.NewResponseController(w).Flush()
	events := c.events
	if !proxied {
		events = nil
	}
	for {
		select {
		case e := <-events:
			_, _ = fmt.Fprintln(w, e)
			_ = http.NewResponseController(w).Flush()
		case <-r.Context().Done():
			return
		case <-c.ending:
			return
		}
	}
}

func (c *cluster) set(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

func (c *cluster) askedAs() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.as
}

// configuration is one for c, in which everybody may do everything.
func (c *cluster) configuration(t *testing.T) *config.Config {
	t.Helper()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],
"users":[{"name":"u","user":{"token":"gateway"}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}`, c.URL)
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := config.Default()
	o.Kubernetes.Kubeconfig = kubeconfig
	o.Authorization.Mode = "AlwaysAllow"
	o.Postern.Listen.Address, o.Postern.Admin.Address = "127.0.0.1:0", "127.0.0.1:0"
	o.Postern.Modules.Dir, o.Postern.Modules.CacheDir = filepath.Join(dir, "modules"), filepath.Join(dir, "cache")
	o.Postern.Sessions.JournalFile = filepath.Join(dir, "sessions.journal")
	o.Postern.Admin.TokenFile = filepath.Join(dir, "admin.token")
	o.Postern.DrainTimeout = 10 * time.Second
	o.Postern.Anonymous.Allow = true
	return o
}

// changed is a copy of c with a change.
func changed(c *config.Config, change func(*config.Config)) *config.Config {
	n := *c
	change(&n)
	return &n
}

// running is a gateway that runs.
type running struct {
	*Gateway
	t     *testing.T
	http  string // base URLs
	admin string
	stop  context.CancelFunc
	ended chan error
}

func run(t *testing.T, c *config.Config) *running {
	t.Helper()
	g, err := New(t.Context(), Options{Config: c, Out: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Gateway: g, t: t, stop: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-r.ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Error("the gateway does not end")
		}
	})
	waiting, give := context.WithTimeout(t.Context(), 10*time.Second)
	defer give()
	a, err := g.Addresses(waiting)
	if err != nil {
		t.Fatal(err)
	}
	r.http, r.admin = "http://"+a.HTTP, "http://"+a.Admin
	return r
}

// get is the status and body of a URL; status 0 when nobody answers. Each request has a connection of its own.
func get(url string) (int, string) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}

// eventually waits until what is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

// ready waits until the gateway takes requests.
func (r *running) ready() *running {
	r.t.Helper()
	eventually(r.t, "ready", func() bool { code, _ := get(r.admin + "/readyz"); return code == 200 })
	return r
}

// watching opens a watch of pods through the gateway; lines come as they are sent.
func (r *running) watching() *bufio.Reader {
	r.t.Helper()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(r.http + "/api/v1/pods?watch=1")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != 200 {
		r.t.Fatalf("watch: %s", resp.Status)
	}
	return bufio.NewReader(resp.Body)
}

// see sends an event and checks that the watch brings it.
func (c *cluster) see(t *testing.T, watch *bufio.Reader, event string) {
	t.Helper()
	select {
	case c.events <- event:
	case <-time.After(10 * time.Second):
		t.Fatalf("nobody watches for %q", event)
	}
	if line, err := watch.ReadString('\n'); err != nil || strings.TrimSpace(line) != event {
		t.Fatalf("the watch brought %q, %v", line, err)
	}
}

// object is a JSON document's value at a path of keys.
func object(t *testing.T, text string, keys ...string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %.200s", err, text)
	}
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("no %q in %.200s", k, text)
		}
		v = m[k]
	}
	return v
}
