package authn_test

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
)

func BenchmarkServe(b *testing.B) {
	o := options(people())
	text := issue(o.Keys, "alice", time.Hour)
	s := authn.New(o)
	for _, c := range []struct{ name, header string }{{"anonymous", ""}, {"bearer", "Bearer " + text}, {"basic", basicAuth("alice", "P@ss:word")}} {
		b.Run(c.name, func(b *testing.B) {
			x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx)}
			h := &x.HTTP.Request.Header
			for _, name := range []string{"Accept", "Accept-Encoding", "User-Agent", "Host", "X-Request-Id"} {
				h.Set(name, "application/json")
			}
			b.ReportAllocs()
			for b.Loop() {
				if c.header != "" {
					h.Set("Authorization", c.header)
				}
				s.Serve(x, func(*exchange.Exchange) {})
			}
		})
	}
}
