package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/hostabi/tck"
)

// tckConfig grants the conformance kit's guests what they want.
const tckConfig = `postern:
  backends: {tck: {url: "http://%s"}}
  modules:
    perModule:
      tck-sync: &tck
        grants:
          prometheus: true
          access: true
          accounts: true
          http: [tck]
          kube: [{groups: [""], resources: [namespaces], verbs: [get, list]}]
      tck-async: *tck
`

// TestConformance runs the kit against the gateway in front of the real Kubernetes and Prometheus, then puts a module of
// ours through what a host does to one.
func TestConformance(t *testing.T) {
	backend := new(tck.Backend)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: backend, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { _ = server.Close() })
	reconfigure(t, fmt.Sprintf(tckConfig, ln.Addr()))
	target := tck.Target{URL: stack.URLs["gateway"], Client: client(t), Prepare: func(r *http.Request) { r.SetBasicAuth("admin", userPassword(t, "admin")) }}
	for _, kind := range tck.Guests {
		file := filepath.Join(modulesDir(t), "tck-"+kind+".wasm")
		postern(t, "module", "build", filepath.Join(stack.Root, "hostabi", "tck", kind), "-o", file)
		t.Cleanup(func() { _ = os.Remove(file) })
		until(t, "the guest "+kind+" to serve", func() bool {
			return strings.Contains(adminGet(t, "/modules"), `"`+kind+`.tck.postern.io/v1"`)
		})
	}
	results := tck.Host(t.Context(), target, backend)
	results = append(results, tck.Guest(t.Context(), target, "/kapis/hello.postern.io/v1/greetings")...)
	for _, r := range results {
		if !r.OK {
			t.Errorf("%s: %s: %s", r.Case, r.Check, r.Error)
		}
	}
	if len(results) < 400 {
		t.Errorf("only %d checks were made", len(results))
	}
	t.Logf("%d checks", len(results))
}
