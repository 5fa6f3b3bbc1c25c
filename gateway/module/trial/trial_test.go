package trial

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/manifest"
)

// fasthttp keeps the date of answers in a goroutine that never ends.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// hello is the C guest of ABI.md under a manifest: it greets who asks.
func hello(t *testing.T, about string) []byte {
	t.Helper()
	code, err := os.ReadFile("../testdata/c/hello.wasm")
	if err != nil {
		t.Fatal(err)
	}
	packed, err := manifest.Pack(code, []byte(about))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

func gateway(t *testing.T, opts Options) *Gateway {
	t.Helper()
	opts.Log = zerolog.New(zerolog.NewTestWriter(t))
	g, err := New(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// ask is the status and body of an answer.
func ask(t *testing.T, url string, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestServesAndSwaps(t *testing.T) {
	g := gateway(t, Options{User: exchange.User{Name: "ann"}})
	path := "/kapis/a.example.io/v1/x"
	if code, body := ask(t, g.URL()+path, nil); code != 404 || !strings.Contains(body, `"kind":"Status"`) {
		t.Errorf("got %d %s before a module was loaded", code, body)
	}
	gen, err := g.Load(t.Context(), hello(t, "{name: a, serves: [{group: a.example.io, versions: [v1]}, {group: all.example.io}]}"))
	if err != nil || len(gen.Digest()) != 64 {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		path: "hello, ann\n", "/kapis/clusters/host/a.example.io/v1": "hello, ann\n", "/kapis/all.example.io/any/thing": "hello, ann\n", "/kapis/all.example.io": "hello, ann\n",
		"/kapis/a.example.io/v2/x": "", "/kapis/a.example.io/v11": "", "/kapis/a.example.iox/v1": "", "/api/v1/pods": "",
	} {
		if code, body := ask(t, g.URL()+url, nil); (code == 200) != (want != "") || code == 200 && body != want {
			t.Errorf("%s: got %d %q, want %q", url, code, body, want)
		}
	}
	as := http.Header{"Impersonate-User": {"bob"}, "Authorization": {"Bearer x"}}
	if _, body := ask(t, g.URL()+path, as); body != "hello, bob\n" {
		t.Errorf("got %q for bob", body)
	}
	if _, err := g.Load(t.Context(), []byte("no module")); err == nil {
		t.Error("what is no module was loaded")
	}
	if code, _ := ask(t, g.URL()+path, nil); code != 200 {
		t.Errorf("got %d after a load that failed, want the module before", code)
	}
	if _, err := g.Load(t.Context(), hello(t, "{name: a, serves: [{group: b.example.io}]}")); err != nil {
		t.Fatal(err)
	}
	if code, _ := ask(t, g.URL()+path, nil); code != 404 {
		t.Errorf("got %d from the module that was replaced", code)
	}
	if code, body := ask(t, g.URL()+"/kapis/b.example.io", nil); code != 200 {
		t.Errorf("got %d %s from the new module", code, body)
	}
}

// TestGrants: what a module wants needs a backend, or --grant-all.
func TestGrants(t *testing.T) {
	wants := hello(t, "{name: a, serves: [{group: a.example.io}], wants: {prometheus: true, http: [edge], kube: [{groups: [\"\"], resources: [pods], verbs: [get]}]}}")
	g := gateway(t, Options{})
	_, err := g.Load(t.Context(), wants)
	for _, want := range []string{"--kubeconfig", "--prometheus", "--backend edge=URL", "--grant-all"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	if _, err := gateway(t, Options{GrantAll: true}).Load(t.Context(), wants); err != nil {
		t.Error(err)
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	cluster := t.TempDir() + "/kubeconfig"
	text := "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{name: c, context: {cluster: c, user: c}}]\nusers: [{name: c}]\nclusters: [{name: c, cluster: {server: \"" + server.URL + "\"}}]\n"
	if err := os.WriteFile(cluster, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	backends := Backends{Kubeconfig: cluster, Prometheus: server.URL, HTTP: map[string]string{"edge": server.URL}}
	if _, err := gateway(t, Options{Backends: backends}).Load(t.Context(), wants); err != nil {
		t.Error(err)
	}
}

func TestBadBackends(t *testing.T) {
	for _, b := range []Backends{{Kubeconfig: "/does/not/exist"}, {Prometheus: "::"}, {HTTP: map[string]string{"x": "ftp://x"}}} {
		if g, err := New(t.Context(), Options{Backends: b}); err == nil {
			t.Errorf("%+v was taken", b)
			_ = g.Close()
		}
	}
	if g, err := New(t.Context(), Options{Address: "nonsense"}); err == nil {
		t.Error("a bad address was taken")
		_ = g.Close()
	}
}
