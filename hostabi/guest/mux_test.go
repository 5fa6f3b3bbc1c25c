//go:build !wasip1

package guest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/posternhq/postern/hostabi"
)

// TestMux: which pattern a path goes to, and what its names stand for.
func TestMux(t *testing.T) {
	patterns := []string{
		"GET /v1/nodes", "GET /v1/nodes/{node}", "POST /v1/nodes/{node}", "GET /v1/nodes/all", "GET /v1/{kind}/{name}/pods",
		"GET /v1/nodes/{name}/{rest...}", "* /files/{path...}", "GET /{group}/{rest...}",
	}
	for request, want := range map[string]string{
		"GET /v1/nodes":          "GET /v1/nodes []",
		"GET /v1/nodes/":         "GET /v1/nodes []",
		"GET /v1/nodes/n1":       "GET /v1/nodes/{node} [{node n1}]",
		"GET /v1/nodes/all":      "GET /v1/nodes/all []",
		"POST /v1/nodes/all":     "POST /v1/nodes/{node} [{node all}]",
		"GET /v1/nodes/n/pods":   "GET /v1/nodes/{name}/{rest...} [{name n} {rest pods}]",
		"GET /v1/jobs/j/pods":    "GET /v1/{kind}/{name}/pods [{kind jobs} {name j}]",
		"PATCH /files/a/b%2F/c":  "* /files/{path...} [{path a/b%2F/c}]",
		"GET /files":             "* /files/{path...} [{path }]",
		"GET /x":                 "GET /{group}/{rest...} [{group x} {rest }]",
		"GET /v1/nodes//pods":    "GET /{group}/{rest...} [{group v1} {rest nodes//pods}]",
		"DELETE /v1/nodes":       "405",
		"PUT /v1/nodes/n1":       "405",
		"POST /nothing/here":     "405",
		"PUT /":                  "404",
		"GET /":                  "404",
		"GET //":                 "404",
		"GET /{group}":           "GET /{group}/{rest...} [{group {group}} {rest }]",
		"HEAD /v1/nodes":         "405",
		"OPTIONS /files/x?y=z%3": "* /files/{path...} [{path x?y=z%3}]",
	} {
		var m mux
		got := ""
		for _, p := range patterns {
			var method, pattern string
			_, _ = fmt.Sscan(p, &method, &pattern)
			m.add(method, pattern, func(r *Request, _ *Response) error {
				got = fmt.Sprint(p, " ", r.values)
				return nil
			})
		}
		h := &host{fields: map[hostabi.Field]string{}}
		_, _ = fmt.Sscan(request, h.field(hostabi.FieldMethod), h.field(hostabi.FieldModulePath))
		h.fields[hostabi.FieldMethod], h.fields[hostabi.FieldModulePath] = h.method, h.path
		h.during(func(ex uint32) {
			err := m.serve(&Request{ex: ex, Context: context.Background()}, &Response{ex: ex})
			var e *Error
			if errors.As(err, &e) {
				got = fmt.Sprint(e.Status)
			}
		})
		if got != want {
			t.Errorf("%s: got %s, want %s", request, got, want)
		}
	}
}

func TestQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"":                    "[]",
		"a=1&b=2&a=3":         "[[a 1] [b 2] [a 3]]",
		"a=x+y%20z%2B&&=v&b":  "[[a x y z+] [ v] [b ]]",
		"a=%zz%4&%41=%e2%82%": "[[a %zz%4] [A \xe2\x82%]]",
		"a=b=c;d=e":           "[[a b=c;d=e]]",
	} {
		if got := fmt.Sprint(ParseQuery(raw)); got != want {
			t.Errorf("%q: got %q, want %q", raw, got, want)
		}
	}
	q := ParseQuery("a=1&b&a=2")
	if q.Get("a") != "1" || q.Get("b") != "" || !q.Has("b") || q.Has("c") || q.Get("c") != "" {
		t.Errorf("got %v", q)
	}
}

// FuzzParseQuery: no query breaks it, and what is found was there.
func FuzzParseQuery(f *testing.F) {
	f.Add("a=1&b=%2", "a")
	f.Add("&&=&%", "")
	f.Fuzz(func(t *testing.T, raw, name string) {
		q := ParseQuery(raw)
		if q.Get(name) != "" && !q.Has(name) {
			t.Errorf("%q: Get finds %q, Has does not", raw, name)
		}
		for _, kv := range q {
			if len(kv[0])+len(kv[1]) > len(raw) {
				t.Errorf("%q grew to %q", raw, kv)
			}
		}
	})
}
