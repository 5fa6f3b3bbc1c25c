package replay

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const sample = `# for people
@host = http://localhost:8080
@group=g.io

### first
# expect 201
# expect-header X-A: b: c
# expect-body one
# expect-body two
// expect-contains w
# expect-json /a/0 {"x": 1}
POST {{host}}/kapis/{{group}}/v1/things
    ?limit=1
    &x={{group}} HTTP/1.1
Content-Type: application/json
Host: elsewhere
# a comment between headers
X-Group: {{ group }}

{"a": "{{group}}", "b": "{{none}}"}
# not a comment

### 
/plain#fragment
###
# @name named
DELETE https://example.org?x
`

func TestParse(t *testing.T) {
	got, err := Parse([]byte(strings.ReplaceAll(sample, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	want := []Request{
		{
			Name: "first", Line: 12, Method: "POST", Path: "/kapis/g.io/v1/things?limit=1&x=g.io",
			Header: [][2]string{{"Content-Type", "application/json"}, {"X-Group", "g.io"}},
			Body:   "{\"a\": \"g.io\", \"b\": \"{{none}}\"}\n# not a comment",
			Expect: Expect{
				Status: "201", Header: [][2]string{{"X-A", "b: c"}}, Body: []string{"one", "two"}, Contains: []string{"w"},
				JSON: []JSON{{"/a/0", `{"x": 1}`}},
			},
		},
		{Name: "GET /plain", Line: 24, Method: "GET", Path: "/plain"},
		{Name: "named", Line: 27, Method: "DELETE", Path: "/?x"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "there is no request",
		"### a\n\n### b\n":                       "there is no request",
		"GET x":                                  `line 1: cannot use "x"`,
		"\nGET /a b c":                           `line 2: cannot read "GET /a b c" as a request`,
		"get /a":                                 "as a request",
		"GET {{host}}/a":                         `no variable "host"`,
		"@1 = x":                                 "as a variable",
		"GET /a\nno header":                      "line 2: cannot read \"no header\" as a header",
		"# expect 20":                            `cannot expect "20"`,
		"# expect-staus 200":                     "unknown expectation",
		"# expect-json a 1":                      "cannot expect JSON",
		"# expect-json /a x":                     "cannot expect JSON",
		"# expect-header x":                      "want Name: value",
		"### a\n# expect 200\n### b\nGET /":      "line 1: expectations without a request",
		"POST /a\n\n< file.json":                 "not supported",
		"GET /%zz":                               "as a path",
		strings.Repeat("GET /\n###\n", 4097):     "more than 4096 requests",
		strings.Repeat("#", maxFile+1):           "more than 4194304",
		"@a = " + strings.Repeat("x", 2*maxLine): "longer than",
	} {
		if got, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: got %v, %v, want %q", text, got, err, want)
		}
	}
}

// TestVariablesDoNotExplode: each of 40 variables is twice the one before it.
func TestVariablesDoNotExplode(t *testing.T) {
	var b strings.Builder
	b.WriteString("@v0 = xxxxxxxxxxxxxxxx\n")
	for i := range 40 {
		fmt.Fprintf(&b, "@v%d = {{v%d}}{{v%d}}\n", i+1, i, i)
	}
	if _, err := Parse([]byte(b.String() + "GET /{{v40}}")); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("got %.200v", err)
	}
}

func TestCheck(t *testing.T) {
	a := Answer{Status: 200, Header: http.Header{"X-A": {"b", "c"}}, Body: "{\"n\": 1.0, \"s\": \"x\", \"l\": [{\"b\":1,\"a\":2}]}\n"}
	for expect, want := range map[string]string{
		"expect 200":                                "",
		"expect 2xx":                                "",
		"expect 404":                                "status is 200, want 404",
		"expect 4xx":                                "status is 200, want 4xx",
		"expect-header x-a: b, c":                   "",
		"expect-header X-A: b":                      `header X-A is "b, c", want "b"`,
		"expect-header X-B: b":                      `header X-B is ""`,
		"expect-contains \"s\"":                     "",
		"expect-contains y":                         `want "y" in it`,
		"expect-body x":                             "body is",
		"expect-json /n 1":                          "",
		"expect-json /n 2":                          `"/n" is "1.0", want 2`,
		"expect-json /s \"x\"":                      "",
		"expect-json /l [{\"a\": 2, \"b\": 1}]":     "",
		"expect-json /none null":                    `body has nothing at "/none"`,
		`expect-json "" {"n":1,"s":"x","l":[null]}`: `"" is`,
		"expect-body " + strings.TrimSpace(a.Body):  "",
	} {
		var e Expect
		key, value, _ := strings.Cut(expect, " ")
		if err := e.add(key, value); err != nil {
			t.Fatal(err)
		}
		got := strings.Join(e.Check(a), "; ")
		if (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", expect, got, want)
		}
	}
	if got := new(Expect).Check(Answer{Status: 400}); len(got) != 1 {
		t.Errorf("got %q for a 400 where nothing is expected", got)
	}
	if got := (&Expect{JSON: []JSON{{"/a", "1"}}}).Check(Answer{Status: 200, Body: "no"}); len(got) != 1 || !strings.Contains(got[0], "not JSON") {
		t.Errorf("got %q for what is not JSON", got)
	}
}

func TestLoadAndSend(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("X-A"), body)
	}))
	defer server.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{"b.http": "PUT /b?c=%20\nX-A: 1\n\nbody\n", "a.http": "GET /a"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	all, err := Load(filepath.Join(dir, "*.http"))
	if err != nil || len(all) != 2 || all[0].Name != "a: GET /a" {
		t.Fatalf("got %+v, %v", all, err)
	}
	client := Client()
	defer client.CloseIdleConnections()
	for i, want := range []string{"GET /a  ", "PUT /b?c=%20 1 body"} {
		if a, err := all[i].Send(t.Context(), client, server.URL); err != nil || a.Status != 302 || a.Body != want {
			t.Errorf("got %+v, %v, want %q", a, err, want)
		}
	}
	if _, err := Load(filepath.Join(dir, "*.none")); err == nil || !strings.Contains(err.Error(), "no file matches") {
		t.Errorf("got %v for no file", err)
	}
}

// FuzzParse: what is read can be sent, and nothing is read twice as another thing.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("GET /a\n?b\n\n\x00"))
	f.Add([]byte("@a = {{a}}\n@b={{ a}}\nGET {{b}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Parse(text)
		if err != nil {
			return
		}
		for _, r := range all {
			if !strings.HasPrefix(r.Path, "/") || r.Name == "" || r.Line < 1 {
				t.Errorf("got %+v", r)
			}
			if _, err := http.NewRequest(r.Method, "http://127.0.0.1"+r.Path, nil); err != nil {
				t.Errorf("%q cannot be asked: %v", r.Path, err)
			}
		}
	})
}
