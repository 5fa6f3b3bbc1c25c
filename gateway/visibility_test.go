package gateway

import (
	"slices"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/visible"
)

// TestVisiblePassesFilters has parts of lists pass the filters that other answers pass, in their order.
func TestVisiblePassesFilters(t *testing.T) {
	mark := func(name string) config.Filter {
		return config.Filter{Name: name, Kind: "headers", Before: "answer", Settings: map[string]any{"response": map[string]any{"add": map[string]any{"X-By": name}}}}
	}
	elsewhere := mark("third")
	elsewhere.Match.Paths = []string{"/version"}
	c := changed(newCluster(t).configuration(t), withFilters(mark("first"), mark("second"), elsewhere))
	g := run(t, c)
	o, answered := visibleOptions(c, g.long.current.Load(), g.long), false
	ctx, by := new(fasthttp.RequestCtx), []string(nil)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.Info.Path = "/api/v1/pods"
		o.Around(x, func(*exchange.Exchange) { answered = true })
		for _, v := range ctx.Response.Header.PeekAll("X-By") {
			by = append(by, string(v))
		}
	})
	if want := []string{"second", "first"}; !answered || !slices.Equal(by, want) { // on the way back
		t.Errorf("answered: %v, through %v, want %v", answered, by, want)
	}
}

// TestVisibleByConfiguration: it is off where everything is denied.
func TestVisibleByConfiguration(t *testing.T) {
	c := newCluster(t).configuration(t)
	g := run(t, c)
	for _, o := range []struct {
		mode, authorization, identity string
		want                          visible.Mode
		strict                        bool
	}{
		{"on", authz.RBAC, config.IdentityImpersonate, visible.On, false},
		{"tenancy", authz.RBAC, config.IdentityStrict, visible.Tenancy, true},
		{"on", authz.AlwaysDeny, config.IdentityPlain, visible.Off, false},
	} {
		made := visibleOptions(changed(c, func(c *config.Config) {
			c.Postern.VisibleLists, c.Authorization.Mode, c.Postern.Kube.Identity = o.mode, o.authorization, o.identity
		}), g.long.current.Load(), g.long)
		if made.Mode != o.want || made.Strict != o.strict {
			t.Errorf("%+v: %s, strict %v", o, made.Mode, made.Strict)
		}
	}
}

func TestNamedBy(t *testing.T) {
	rules := []authz.Rule{
		{Verbs: []string{"list"}, APIGroups: []string{""}, Resources: []string{"nodes"}, ResourceNames: []string{"a"}},
		{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}, ResourceNames: []string{"b"}},
		{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods", "nodes"}, ResourceNames: []string{"c"}},
		{Verbs: []string{"delete"}, APIGroups: []string{""}, Resources: []string{"nodes"}, ResourceNames: []string{"no"}},
		{Verbs: []string{"list"}, APIGroups: []string{"apps"}, Resources: []string{"nodes"}, ResourceNames: []string{"no"}},
		{Verbs: []string{"get"}, NonResourceURLs: []string{"*"}},
	}
	if got := namedBy(rules, &exchange.RequestInfo{Verb: "list", Resource: "nodes"}); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%v", got)
	}
}
