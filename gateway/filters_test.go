package gateway

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/exchange"
)

// withFilters is a change of configuration.
func withFilters(filters ...config.Filter) func(*config.Config) {
	return func(c *config.Config) { c.Postern.Filters = filters }
}

var hourly = config.Filter{Name: "hourly", Kind: "rateLimit", Match: config.FilterRules{Paths: []string{"/api/*"}}, Settings: map[string]any{
	"limits": []any{map[string]any{"by": "global", "requests": 2, "per": "1h"}},
}}

// TestFiltersOverReloads has a limit go on over a reload, a new one begin anew, and a watch keep what it began with.
func TestFiltersOverReloads(t *testing.T) {
	c := newCluster(t)
	first := c.configuration(t)
	g := run(t, changed(first, withFilters(hourly))).ready()
	watch := g.watching() // one of the two
	c.see(t, watch, "one")
	ask := func(want int) {
		t.Helper()
		if code, body := get(g.http + "/api/v1/pods"); code != want {
			t.Errorf("got %d %s, want %d", code, body, want)
		}
	}
	reload := func(filters ...config.Filter) {
		t.Helper()
		if err := g.Reload(t.Context(), changed(first, withFilters(filters...))); err != nil {
			t.Fatal(err)
		}
	}
	ask(200)
	ask(429)
	seen := hourly
	seen.Except.Paths = []string{"/api/v2/*"} // what it sees is not what it holds
	deny := config.Filter{Name: "deny", Kind: "ipFilter", Match: config.FilterRules{Paths: []string{"/version"}}, Settings: map[string]any{"deny": []any{"127.0.0.1"}}}
	reload(deny, seen)
	ask(429)
	if code, _ := get(g.http + "/version"); code != 403 {
		t.Errorf("denied: %d", code)
	}
	wrong := hourly
	wrong.Kind = "none"
	if err := g.Reload(t.Context(), changed(first, withFilters(wrong))); err == nil || !strings.Contains(err.Error(), `postern.filters[0].kind: there is no kind "none"`) {
		t.Errorf("got %v", err)
	}
	ask(429)
	reload()
	ask(200)
	c.see(t, watch, "two")
	reload(hourly)
	ask(200) // the one of before is gone
}

// TestFiltersAndStreams has a filter change the head of a watch.
func TestFiltersAndStreams(t *testing.T) {
	c := newCluster(t)
	marks := config.Filter{Name: "marks", Kind: "headers", Settings: map[string]any{"response": map[string]any{"set": map[string]any{"X-For": "{user}"}}}}
	g := run(t, changed(c.configuration(t), withFilters(marks))).ready()
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(g.http + "/api/v1/pods?watch=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if got := resp.Header.Get("X-For"); got != "system:anonymous" {
		t.Errorf("the head of a watch says %q", got)
	}
}

// TestChainWithoutFilters has no link more than there are stages.
func TestChainWithoutFilters(t *testing.T) {
	c := newCluster(t)
	without := run(t, c.configuration(t))
	n := len(without.current.Load().stages)
	with := run(t, changed(c.configuration(t), withFilters(hourly, config.Filter{Name: "breaker", Kind: "circuitBreaker"})))
	if got := len(with.current.Load().stages); n != 14 || got != n+2 {
		t.Errorf("%d stages without filters, %d with two", n, got)
	}
}

// TestExplainFilters says which filters see a request.
func TestExplainFilters(t *testing.T) {
	c := changed(config.Default(), withFilters(hourly))
	c.Postern.Modules.Dir = t.TempDir()
	findings, _, err := Explain(t.Context(), c, ExplainRequest{Method: "GET", Path: "/kapis/version"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Stage == "filter/hourly" {
			if f.Verdict != exchange.Pass || f.Reason != "does not see it: match.paths" {
				t.Errorf("%+v", f)
			}
			return
		}
	}
	t.Errorf("no filter among %v", findings)
}

// TestCheckConfig finds what is wrong with filters, with its place in the file.
func TestCheckConfig(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kubesphere.yaml")
	text := "postern:\n  filters:\n  - name: a\n    kind: rateLimit\n    settings:\n      limits:\n      - {by: user, requests: 1}\n      - by: user\n        requests: -1\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, err := config.Load(config.Options{File: file, Env: []string{}, Check: CheckConfig})
	if want := file + ":9:19: postern.filters[0].settings.limits[1].requests: must be greater than 0, is -1"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	examples, err := filepath.Glob("../config/examples/*.yaml")
	if err != nil || len(examples) < 6 {
		t.Fatalf("%d examples, %v", len(examples), err)
	}
	for _, e := range examples {
		if _, _, err := config.Load(config.Options{File: e, Env: []string{}, Check: CheckConfig}); err != nil {
			t.Errorf("%s: %v", e, err)
		}
	}
}

// TestSchemaOfFilters has an editor's schema know the settings of each kind.
func TestSchemaOfFilters(t *testing.T) {
	text, err := config.Schema(FilterKinds()...)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../config/examples/filters.yaml")
	if err != nil {
		t.Fatal(err)
	}
	check := func(text string) error {
		var values any
		if err := yaml.Unmarshal([]byte(text), &values); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(value)
	}
	if err := check(string(example)); err != nil {
		t.Errorf("the example: %v", err)
	}
	for right, wrong := range map[string]string{
		"kind: cors": "kind: horses", "max: 1MiB": "max: [1]", "by: user": "by: users", "requests: 50": "request: 50", "ttl: 5s": "ttl: 5",
		"exposeHeaders": "exposedHeaders", "allow: [": "allows: [",
	} {
		if changed := strings.Replace(string(example), right, wrong, 1); changed == string(example) || check(changed) == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}
