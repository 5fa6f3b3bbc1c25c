package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWasmFilter puts http-wasm guests in front of kubectl by a reload: one adds a header to every answer, watches
// included, one refuses a path in its own words.
func TestWasmFilter(t *testing.T) {
	guest := filepath.Join(stack.Root, "gateway", "filter", "httpwasm", "testdata", "script.wasm")
	const refusal = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"secrets-stay-here","reason":"Forbidden","code":403}`
	reconfigure(t, fmt.Sprintf(`
postern:
  filters:
  - name: mark
    kind: wasm
    settings:
      file: %[1]q
      config: "res set 1 X-Marked by-a-guest"
  - name: no-secrets
    kind: wasm
    match: {paths: ["/api/v1/namespaces/*/secrets"], methods: [GET]}
    settings:
      file: %[1]q
      config: |
        req stop
        req set_status 403
        req set 1 Content-Type application/json
        req write 1 %[2]s
`, guest, refusal))

	if out := kubectl(t, "gateway", "-n", "demo-shop", "get", "pods", "--v=8"); !strings.Contains(out, "X-Marked: by-a-guest") {
		t.Errorf("kubectl does not see the guest's header:\n%s", out)
	}
	out, err := tryKubectl(t, "gateway", nil, "-n", "demo-shop", "get", "secrets")
	if err == nil || !strings.Contains(out, "secrets-stay-here") || !strings.Contains(out, "Forbidden") {
		t.Errorf("kubectl get secrets: %v\n%s", err, out)
	}
	c := client(t)
	code, body, header := do(t, c, request{path: "/api/v1/namespaces/demo-shop/secrets", user: "admin"})
	if code != 403 || body != refusal || header.Get("X-Marked") == "" {
		t.Errorf("got %d %s %v", code, body, header)
	}

	events, stop := openWatch(t, c)
	defer stop()
	kubectl(t, "gateway", "-n", "demo-shop", "create", "configmap", "marked")
	defer kubectl(t, "gateway", "-n", "demo-shop", "delete", "configmap", "marked")
	select {
	case line := <-events:
		if !strings.Contains(line, `"marked"`) {
			t.Errorf("the watch saw %q", line)
		}
	case <-time.After(30 * time.Second):
		t.Error("the watch sees nothing")
	}
	if text := adminGet(t, "/metrics"); !strings.Contains(text, `postern_filter_state{filter="mark",kind="wasm",state="instances"}`) {
		t.Error("the metrics do not have the guest's instances")
	}
}
