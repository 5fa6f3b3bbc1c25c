package filter

import (
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
)

func TestPaths(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/a", "/a", true},
		{"/a", "/a/", false},
		{"/a", "/ab", false},
		{"/a", "/", false},
		{"/a/*", "/a/b", true},
		{"/a/*", "/a/b/c", true},
		{"/a/*", "/a/", true},
		{"/a/*", "/a", false},
		{"/a/*", "/ab/c", false},
		{"/*", "/", true},
		{"/*", "/x/y", true},
		{"/a/*/c", "/a/b/c", true},
		{"/a/*/c", "/a//c", false},
		{"/a/*/c", "/a/b/d", false},
		{"/a/*/c", "/a/b/c/d", false},
		{"/a/*/c/*", "/a/b/c/d/e", true},
		{"/", "/", true},
		{"/", "/a", false},
		{"/*", "", false},
	} {
		p, err := compilePath(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.matches(c.path); got != c.want {
			t.Errorf("%s on %s: %v", c.pattern, c.path, got)
		}
	}
	for _, wrong := range []string{"a", "", "/a*", "/a/b*/c"} {
		if _, err := compilePath(wrong); err == nil {
			t.Errorf("%q is taken", wrong)
		}
	}
}

func TestMatch(t *testing.T) {
	x := &exchange.Exchange{
		HTTP: new(fasthttp.RequestCtx),
		Info: exchange.RequestInfo{Path: "/api/v1/namespaces/n/pods/p/log", Verb: "get", Resource: "pods", Subresource: "log", Namespace: "n"},
		User: &exchange.User{Name: "alice", Groups: []string{"dev", "system:authenticated"}},
	}
	for _, c := range []struct {
		rules Rules
		miss  string
	}{
		{Rules{}, ""},
		{Rules{Paths: []string{"/x", "/api/*"}, Methods: []string{"post", "get"}, Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods/log"}, Namespaces: []string{"n"}, Clusters: []string{""}, Users: []string{"alice"}, Groups: []string{"ops", "dev"}}, ""},
		{Rules{Paths: []string{"/kapis/*"}}, "paths"},
		{Rules{Methods: []string{"POST"}}, "methods"},
		{Rules{Verbs: []string{"list"}}, "verbs"},
		{Rules{APIGroups: []string{"apps"}}, "apiGroups"},
		{Rules{Resources: []string{"pods"}}, "resources"},
		{Rules{Resources: []string{"pods/*"}}, ""},
		{Rules{Resources: []string{"*/log"}}, ""},
		{Rules{Resources: []string{"*"}}, ""},
		{Rules{Namespaces: []string{"m"}}, "namespaces"},
		{Rules{Clusters: []string{"m"}}, "clusters"},
		{Rules{Users: []string{"bob"}}, "users"},
		{Rules{Groups: []string{"ops"}}, "groups"},
	} {
		m, err := compile(c.rules)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.miss(x); got != c.miss {
			t.Errorf("%+v: missed %q, want %q", c.rules, got, c.miss)
		}
		if n := testing.AllocsPerRun(100, func() { m.miss(x) }); n != 0 {
			t.Errorf("%+v: %v allocations", c.rules, n)
		}
	}
	m, _ := compile(Rules{Users: []string{"alice"}})
	if x.User = nil; m.miss(x) != "users" {
		t.Error("nobody is taken for alice")
	}
}

func FuzzPath(f *testing.F) {
	f.Add("/api/*/x", "/api/v1/x")
	f.Add("/*", "/")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		p, err := compilePath(pattern)
		if err != nil {
			return
		}
		if pattern == "/*" && len(path) > 0 && path[0] == '/' && !p.matches(path) {
			t.Errorf("/* misses %q", path)
		}
		p.matches(path)
	})
}
