//go:build !race

package authn_test

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
)

// The steady state: the credentials have been seen before.
func TestServingAllocatesNothing(t *testing.T) {
	o := options(people())
	text := issue(o.Keys, "alice", time.Hour)
	s := authn.New(o)
	for method, header := range map[string]string{authn.Anonymous: "", authn.Bearer: "Bearer " + text, authn.Basic: basicAuth("alice", "P@ss:word")} {
		x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx)}
		h := &x.HTTP.Request.Header
		h.Set("Accept", "application/json")
		h.Set("X-Request-Id", "1")
		passed := 0
		next := func(x *exchange.Exchange) {
			if x.User.Method == method {
				passed++
			}
		}
		n := testing.AllocsPerRun(100, func() {
			if header != "" {
				h.Set("Authorization", header)
			}
			s.Serve(x, next)
		})
		if n != 0 || passed != 101 {
			t.Errorf("%s: %v allocations, %d of 101 passed (%s)", method, n, passed, x.Reason)
		}
	}
}
