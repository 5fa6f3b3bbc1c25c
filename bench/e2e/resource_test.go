package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/oci"
)

// TestModuleResource has two gateways of one cluster follow a Module: load from a registry, upgrade, refuse, disable, roll
// on without the registry, remove; and say in its status how they do.
func TestModuleResource(t *testing.T) {
	store := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	push := func(tag string, n int) string {
		return pushModule(t, "oci://"+host+"/acme/greeter:"+tag, greeterOf(t, n))
	}
	push("one", 1)
	second, _ := startGateway(t, `postern: {modules: {resources: {replica: second}}}`)
	both := []string{stack.URLs["gateway"], second}

	t.Cleanup(func() {
		_, _ = tryKubectl(t, "admin", nil, "delete", "module.postern.dev", "greeter", "--ignore-not-found")
	})
	apply(t, `{"source":"oci://`+host+`/acme/greeter:one"}`)
	answer(t, both, 200, word(1))
	want(t, `"serving":"2/2"`, `"type":"Ready","status":"True"`, `"digest":"sha256:`+module.Digest(greeterOf(t, 1))+`"`)

	push("one", 2) // the tag moves: nobody follows
	sum := push("two", 3)
	apply(t, `{"source":"oci://`+host+`/acme/greeter@`+sum+`","digest":"sha256:`+module.Digest(greeterOf(t, 3))+`"}`)
	answer(t, both, 200, word(3))
	want(t, `"serving":"2/2"`, `"digest":"sha256:`+module.Digest(greeterOf(t, 3))+`"`)

	apply(t, `{"source":"oci://`+host+`/acme/greeter:one","digest":"sha256:`+strings.Repeat("0", 64)+`"}`)
	want(t, `"status":"False"`, `the resource wants sha256:000`)
	answer(t, both, 200, word(3))

	apply(t, `{"source":"oci://`+host+`/acme/greeter@`+sum+`","disabled":true}`)
	answer(t, both, 404, "")
	want(t, `"reason":"Disabled"`)

	server.Close() // what was pulled once needs no registry
	apply(t, `{"source":"oci://`+host+`/acme/greeter@`+sum+`","settings":{"any":"thing"}}`)
	answer(t, both, 200, word(3))
	apply(t, `{"source":"oci://`+host+`/acme/other:new"}`)
	want(t, `"status":"False"`, `acme/other:new`)
	answer(t, both, 200, word(3))

	kubectl(t, "admin", "delete", "module.postern.dev", "greeter")
	answer(t, both, 404, "")
}

// apply writes the Module greeter with a spec.
func apply(t *testing.T, spec string) {
	t.Helper()
	text := `{"apiVersion":"postern.dev/v1alpha1","kind":"Module","metadata":{"name":"greeter"},"spec":` + spec + `}`
	if out, err := tryKubectl(t, "admin", strings.NewReader(text), "apply", "-f", "-"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// answer waits until every gateway answers a greeting like that.
func answer(t *testing.T, gateways []string, code int, body string) {
	t.Helper()
	c := client(t)
	for _, url := range gateways {
		until(t, fmt.Sprintf("%s to answer %d %s", url, code, body), func() bool {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+greeting.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("admin", userPassword(t, "admin"))
			resp, err := c.Do(req)
			if err != nil {
				return false
			}
			defer func() { _ = resp.Body.Close() }()
			text, err := io.ReadAll(resp.Body)
			return err == nil && resp.StatusCode == code && strings.Contains(string(text), body)
		})
	}
}

// want waits until the Module's status has all the texts.
func want(t *testing.T, texts ...string) {
	t.Helper()
	var last string
	defer func() {
		if t.Failed() {
			t.Logf("the status is %s", last)
		}
	}()
	until(t, fmt.Sprintf("the status to have %q", texts), func() bool {
		out := kubectl(t, "admin", "get", "module.postern.dev", "greeter", "-o", "json")
		var o struct{ Status json.RawMessage }
		decode(t, out, &o)
		var compact strings.Builder
		for part := range strings.FieldsSeq(string(o.Status)) { // as kubectl indents it
			compact.WriteString(part)
			compact.WriteByte(' ')
		}
		last = strings.NewReplacer(`: "`, `:"`, `", "`, `","`, "{ ", "{", " }", "}").Replace(compact.String())
		var ordered map[string]any
		decode(t, string(o.Status), &ordered)
		for _, text := range texts {
			if !strings.Contains(last, text) && !inCondition(ordered, text) {
				return false
			}
		}
		return true
	})
}

// inCondition says whether `"type":"…","status":"…"` holds, whatever else stands between.
func inCondition(status map[string]any, text string) bool {
	conditions, _ := status["conditions"].([]any)
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		if text == fmt.Sprintf(`"type":"%s","status":"%s"`, m["type"], m["status"]) {
			return true
		}
	}
	return false
}

// pushModule pushes a module and is its manifest's digest.
func pushModule(t *testing.T, reference string, wasm []byte) string {
	t.Helper()
	ref, err := oci.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	a, err := oci.Push(t.Context(), ref, wasm, oci.Options{DockerConfig: filepath.Join(t.TempDir(), "config.json")})
	if err != nil {
		t.Fatal(err)
	}
	return a.Digest
}
