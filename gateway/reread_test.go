package gateway

import (
	"path/filepath"
	"testing"

	"github.com/posternhq/postern/config"
)

// scripted is a filter whose guest does what lines say: see its source beside it.
func scripted(t *testing.T, before, lines string, paths ...string) config.Filter {
	t.Helper()
	file, err := filepath.Abs("filter/httpwasm/testdata/script.wasm")
	if err != nil {
		t.Fatal(err)
	}
	return config.Filter{
		Name: "script", Kind: "wasm", Before: before, Match: config.FilterRules{Paths: paths},
		Settings: map[string]any{"file": file, "config": lines},
	}
}

// TestRewrittenRequestsAreJudged has a guest make a request that anybody may send into one for pods, and forge who asks:
// what is decided is about what is asked in the end, in the name of who asks.
func TestRewrittenRequestsAreJudged(t *testing.T) {
	c := newCluster(t)
	first := c.configuration(t)
	const rewrite = "req set_uri /api/v1/pods"
	const forge = rewrite + "\nreq set 0 impersonate-user root\nreq set 0 x-remote-user root\nreq set 0 x-forwarded-for 1.2.3.4"
	g := run(t, first).ready()
	for _, n := range []struct {
		name, mode, lines, before string
		anonymous                 bool
		code                      int
	}{
		{"allowed", "AlwaysAllow", rewrite, "dispatch", true, 200},
		{"allowed before authentication", "AlwaysAllow", rewrite, "authentication", true, 200},
		{"in another's name", "AlwaysAllow", forge, "dispatch", true, 200},
		{"in another's name before authentication", "AlwaysAllow", forge, "authentication", true, 200},
		{"nobody may, behind the authentication of an open path", "AlwaysAllow", rewrite, "dispatch", false, 401},
		{"nobody may, before authentication", "AlwaysAllow", rewrite, "authentication", false, 401},
		{"no role allows it", "RBAC", rewrite, "dispatch", true, 403},
		{"a path that two servers could read differently", "AlwaysAllow", "req set_uri /api/v1/%2e%2e/x", "dispatch", true, 400},
		{"a method that is another verb", "RBAC", rewrite + "\nreq set_method DELETE", "dispatch", true, 403},
	} {
		err := g.Reload(t.Context(), changed(first, func(o *config.Config) {
			o.Authorization.Mode, o.Postern.Anonymous.Allow = n.mode, n.anonymous
			o.Postern.Filters = []config.Filter{scripted(t, n.before, n.lines, "/healthz")}
		}))
		if err != nil {
			t.Fatal(err)
		}
		if code, body := get(g.http + "/healthz"); code != n.code {
			t.Errorf("%s: %d %s, want %d", n.name, code, body, n.code)
		}
		if n.code == 200 {
			if as := c.askedAs(); as != "system:anonymous" {
				t.Errorf("%s: kube-apiserver was asked as %q", n.name, as)
			}
		}
	}
}
