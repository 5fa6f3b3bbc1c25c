package manifest

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const declared = `name: hello
version: 1.0.0
abi: 1.1
serves:
- group: hello.example.io
  versions: [v1]
  routes:
  - GET /v1/nodes/{node}
  - POST /v1/nodes
  - /v1/files/{path...}
- {group: open.example.io}
settings:
  type: object
  properties:
    greeting: {type: string, maxLength: 5}
    depth: {type: integer, minimum: 1}
  additionalProperties: false
`

func TestDeclaredSurvivesJSON(t *testing.T) {
	m, err := Parse([]byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	again := new(Manifest)
	if err := json.Unmarshal(text, again); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(m, again); d != "" || m.ABI != (ABI{1, 1}) || m.Serves[0].Routes[2] != (Route{"*", "/v1/files/{path...}"}) {
		t.Errorf("%s\n%+v\n%s", text, m, d)
	}
}

func TestMatch(t *testing.T) {
	m, err := Parse([]byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		group, method, path string
		ok                  bool
		allow               string
	}{
		{"hello.example.io", "GET", "/v1/nodes/n", true, ""},
		{"hello.example.io", "GET", "/v1/nodes/n/", true, ""},
		{"hello.example.io", "PUT", "/v1/nodes/n", false, "GET"},
		{"hello.example.io", "GET", "/v1/nodes", false, "POST"},
		{"hello.example.io", "GET", "/v1/nodes/", false, "POST"},
		{"hello.example.io", "GET", "/v1/nodes/n/pods", false, ""},
		{"hello.example.io", "GET", "/v2/nodes/n", false, ""},
		{"hello.example.io", "PATCH", "/v1/files", true, ""},
		{"hello.example.io", "PATCH", "/v1/files/a/b", true, ""},
		{"hello.example.io", "GET", "/", false, ""},
		{"open.example.io", "GET", "/what/ever", true, ""},
	} {
		ok, allow := m.Match(c.group, c.method, c.path)
		if ok != c.ok || strings.Join(allow, ",") != c.allow {
			t.Errorf("%s %s%s: %v, allow %q", c.method, c.group, c.path, ok, allow)
		}
	}
	if n := testing.AllocsPerRun(100, func() { m.Match("hello.example.io", "GET", "/v1/nodes/n") }); n != 0 {
		t.Errorf("a match allocates %v times", n)
	}
}

func TestSettingsFollowTheirSchema(t *testing.T) {
	m, err := Parse([]byte(declared))
	if err != nil {
		t.Fatal(err)
	}
	for settings, says := range map[string]string{
		"":                               "",
		"{}":                             "",
		`{"greeting":"hi","depth":3}`:    "",
		`{"greeting":"hello there"}`:     "/greeting: ",
		`{"depth":0}`:                    "/depth: ",
		`{"depth":1.5}`:                  "/depth: ",
		`{"other":1}`:                    "other",
		`[1]`:                            "/: ",
		`{"greeting":1,"depth":"three"}`: "/depth: ",
		`{`:                              "cannot read settings",
	} {
		if err := m.Settings.Check([]byte(settings)); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", settings, err, says)
		}
	}
	if err := Schema(nil).Check([]byte(`{"any":"thing"}`)); err != nil {
		t.Error(err)
	}
}

func TestABI(t *testing.T) {
	host := []ABI{{1, 3}, {2, 0}}
	for text, says := range map[string]string{
		"1": "", "1.3": "", `"1.0"`: "", "2": "", "1.4": "this gateway has 1.3", "2.1": "this gateway has 2.0", "3": "has 1.3, 2.0 only",
	} {
		m, err := Parse([]byte("name: a\nabi: " + text + "\nserves: [{group: a.io}]\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if err := m.ABI.Runs(host); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
	if err := (ABI{}).Runs(host); err != nil {
		t.Errorf("a manifest that names no ABI: %v", err)
	}
	if err := (ABI{}).Runs(HostABI); err != nil {
		t.Errorf("this host does not run ABI 1: %v", err)
	}
}

func TestDeclarationsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"abi: zero":               "not a version",
		"abi: 0":                  "not a version",
		"abi: 1.x":                "not a version",
		"settings: {type: thing}": "schema of settings",
		"settings: {$ref: 'https://example.com/x'}": "refer to itself alone",
		"settings: {$ref: 'file:///etc/passwd'}":    "refer to itself alone",
		"wants: {hosts: [https://example.com]}":     "no host",
		"wants: {hosts: ['*']}":                     "no host",
	} {
		if _, err := Parse([]byte("name: a\nserves: [{group: a.io}]\n" + text + "\n")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
	for _, route := range []string{"FETCH /v1/x", "GET v1", "GET /a/{b...}/c", "GET /a{b}", "GET /{}", "GET /a?b", "GET /a b"} {
		if _, err := Parse([]byte("name: a\nserves: [{group: a.io, routes: [\"" + route + "\"]}]\n")); err == nil || !strings.Contains(err.Error(), "route") {
			t.Errorf("%s: %v", route, err)
		}
	}
}

// FuzzParse: whatever is read can be written and read again, and used.
func FuzzParse(f *testing.F) {
	for _, s := range []string{good, declared, "name: a\nserves: [{group: a.io}]\nsettings: true\n", "abi: '1.1'", "serves: [{routes: [{}]}]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := Parse([]byte(text))
		if err != nil {
			return
		}
		m.Match(m.Serves[0].Group, "GET", "/v1/x")
		_ = m.Settings.Check([]byte(`{"a":1}`))
		out, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if !slices.Equal(m.Routes(), again.Routes()) || m.ABI.String() != again.ABI.String() {
			t.Fatalf("%+v became %+v", m, again)
		}
	})
}
