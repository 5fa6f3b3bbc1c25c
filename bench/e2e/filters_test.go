package e2e

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// filters is what TestFilters configures, in the order in which requests see it.
const filters = `postern:
  filters:
  - name: browsers
    kind: cors
    settings: {origins: ["https://console.example.com"], credentials: true, exposeHeaders: [X-Request-Id]}
  - name: not-from-here
    kind: ipFilter
    match: {paths: ["/kapis/version"]}
    settings: {deny: [127.0.0.0/8, "::1"]}
  - name: small
    kind: requestSize
    match: {methods: [POST], resources: [configmaps]}
    settings: {max: 2KiB}
  - name: marks
    kind: headers
    settings:
      response: {set: {X-Served-For: "{user}"}}
  - name: hourly
    kind: rateLimit
    match: {resources: [serviceaccounts]}
    settings: {limits: [{by: user, requests: 2, per: 1h}]}
  - name: steady
    kind: rateLimit
    match: {resources: [configmaps], methods: [GET]}
    settings: {limits: [{by: user, requests: 1, burst: 1}]}
  - name: kept
    kind: cache
    match: {paths: ["/kapis/hello.postern.io/*"]}
    settings: {ttl: 1h}
  - name: breaker
    kind: circuitBreaker
`

// TestFilters configures filters by a reload and drives them with kubectl and raw HTTP, and takes them away again.
func TestFilters(t *testing.T) {
	good, err := os.ReadFile(stack.Config)
	if err != nil {
		t.Fatal(err)
	}
	c := client(t)
	served := func(name string) bool {
		_, _, header := do(t, c, request{path: "/api/v1/namespaces/demo-shop/pods", user: "admin"})
		return header.Get("X-Served-For") == name
	}
	t.Cleanup(func() { replace(t, stack.Config, append(good, []byte("\n# "+time.Now().String()+"\n")...)) })
	configure := func(text string) {
		t.Helper()
		replace(t, stack.Config, []byte(strings.Replace(string(good), "postern:\n", text, 1)))
	}
	configure(filters)
	until(t, "the filters to serve", func() bool { return served("admin") })

	t.Run("cors", func(t *testing.T) { tryCORS(t, c) })
	t.Run("ipFilter", func(t *testing.T) {
		code, body, header := do(t, c, request{path: "/kapis/version", user: "admin", header: http.Header{"X-Forwarded-For": {"192.0.2.1"}}})
		wantStatus(t, code, body, header)
		if code != 403 {
			t.Errorf("got %d", code)
		}
	})
	t.Run("requestSize", tryRequestSize)
	t.Run("rateLimit", func(t *testing.T) { tryRateLimit(t, c) })
	t.Run("cache", func(t *testing.T) { tryCache(t, c) })
	t.Run("reload", func(t *testing.T) {
		configure(strings.Replace(filters, `"{user}"`, `"again {user}"`, 1))
		until(t, "the other header", func() bool { return served("again admin") })
		if code, _, _ := do(t, c, request{path: "/api/v1/namespaces/demo-shop/serviceaccounts", user: "admin"}); code != 429 {
			t.Errorf("got %d: the reload filled a bucket whose settings are the same", code)
		}
		configure(strings.Replace(filters, "per: 1h", "per: soon", 1))
		until(t, "the wrong setting to be said", func() bool {
			return strings.Contains(adminGet(t, "/readyz?verbose"), `cannot parse "soon" as duration`)
		})
		if !served("again admin") {
			t.Error("the filters of before do not serve")
		}
	})
	t.Run("explain", func(t *testing.T) {
		configure(filters)
		until(t, "the filters of before", func() bool { return served("admin") })
		out := postern(t, "explain", "GET", "/api/v1/namespaces/demo-shop/serviceaccounts", "--as", "admin", "--config", stack.Config)
		for _, want := range []string{"filter/hourly", "rateLimit: counted by 1 limits", "filter/kept", "does not see it: match.paths"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in\n%s", want, out)
			}
		}
	})
}

func tryCORS(t *testing.T, c *http.Client) {
	origin := http.Header{"Origin": {"https://console.example.com"}}
	preflight := http.Header{"Origin": origin["Origin"], "Access-Control-Request-Method": {"DELETE"}, "Access-Control-Request-Headers": {"authorization"}}
	code, _, header := do(t, c, request{method: http.MethodOptions, path: "/api/v1/pods", header: preflight})
	if code != 204 || header.Get("Access-Control-Allow-Origin") != "https://console.example.com" || header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("preflight: %d %v", code, header)
	}
	code, _, header = do(t, c, request{path: "/api/v1/namespaces", user: "admin", header: origin}) // of kube-apiserver, some KiB
	if code != 200 || header.Get("Access-Control-Allow-Origin") != "https://console.example.com" || header.Get("X-Served-For") != "admin" {
		t.Errorf("request: %d %v", code, header)
	}
	preflight.Set("Origin", "https://evil.example")
	if code, _, header = do(t, c, request{method: http.MethodOptions, path: "/api/v1/pods", header: preflight}); code != 403 || header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another site: %d %v", code, header)
	}
}

func tryRequestSize(t *testing.T) {
	large := strings.Repeat("x", 4096)
	out, err := tryKubectl(t, "gateway", nil, "-n", "demo-shop", "create", "configmap", "large", "--from-literal=a="+large)
	if err == nil || !strings.Contains(out, "at most 2048 bytes") {
		t.Errorf("kubectl said %v, %s", err, out)
	}
	kubectl(t, "gateway", "-n", "demo-shop", "create", "configmap", "small", "--from-literal=a=b")
	kubectl(t, "gateway", "-n", "demo-shop", "delete", "configmap", "small")
	// In chunks: what is not announced is counted on its way.
	body := `{"metadata":{"name":"large"},"data":{"a":"` + large + `"}}`
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, stack.URLs["gateway"]+"/api/v1/namespaces/demo-shop/configmaps", struct{ *strings.Reader }{strings.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", userPassword(t, "admin"))
	req.Header.Set("Content-Type", "application/json")
	resp, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != 413 {
		t.Errorf("in chunks: %s", resp.Status)
	}
}

// tryRateLimit has kubectl wait as it is told to, and a client that does not be refused.
func tryRateLimit(t *testing.T, c *http.Client) {
	refused := `postern_filter_events_total{event="refused",filter="steady",kind="rateLimit"}`
	for end := time.Now().Add(time.Minute); ; {
		kubectl(t, "gateway", "-n", "demo-shop", "get", "configmaps")
		if strings.Contains(adminGet(t, "/metrics"), refused) && metric(t, refused) > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("kubectl was never told to wait")
		}
	}
	for i, want := range []int{200, 200, 429} {
		code, body, header := do(t, c, request{path: "/api/v1/namespaces/demo-shop/serviceaccounts", user: "admin"})
		if code != want || header.Get("RateLimit") == "" || (header.Get("Retry-After") != "") != (want == 429) {
			t.Errorf("request %d: %d %v", i, code, header)
		}
		if want == 429 {
			wantStatus(t, 429, body, header)
		}
	}
}

// tryCache reads a module's answer twice, and a third time with its entity tag.
func tryCache(t *testing.T, c *http.Client) {
	r := request{path: "/kapis/hello.postern.io/v1/greetings", user: "admin"}
	code, first, header := do(t, c, r)
	etag := header.Get("ETag")
	if code != 200 || etag == "" || header.Get("Cache-Status") != "postern; fwd=miss; stored" {
		t.Fatalf("first: %d %s %v", code, first, header)
	}
	code, second, header := do(t, c, r)
	if code != 200 || second != first || header.Get("Cache-Status") != "postern; hit" || header.Get("Age") == "" {
		t.Errorf("second: %d %s %v", code, second, header)
	}
	r.header = http.Header{"If-None-Match": {etag}}
	if code, body, _ := do(t, c, r); code != 304 || body != "" {
		t.Errorf("third: %d %s", code, body)
	}
	r.header, r.user = nil, "alice"
	if code, other, _ := do(t, c, r); code == 200 && other == first {
		t.Errorf("alice is greeted as admin: %s", other)
	}
}
