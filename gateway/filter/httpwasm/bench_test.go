package httpwasm

import (
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
)

// BenchmarkServe is what a guest costs a request, beside none: one that does nothing, one that sets a header of the
// answer, one that reads two headers and the URI.
func BenchmarkServe(b *testing.B) {
	for _, c := range []struct{ name, script string }{
		{"none", "-"},
		{"empty", ""},
		{"header", "res set 1 x-a 1"},
		{"reads", "req uri\nreq values 0 x-a\nreq values 0 x-b\nreq values 0 x-c"},
	} {
		b.Run(c.name, func(b *testing.B) {
			ctx := new(fasthttp.RequestCtx)
			ctx.Request.Header.Set("X-A", "1")
			ctx.Request.SetRequestURI("/api/v1/pods")
			x := &exchange.Exchange{HTTP: ctx}
			next := func(*exchange.Exchange) {}
			handler := next
			if c.script != "-" {
				f := makeFilter(b, script, c.script, nil)
				handler = func(x *exchange.Exchange) { f.Serve(x, next) }
			}
			b.ReportAllocs()
			for b.Loop() {
				handler(x)
			}
			if code := ctx.Response.StatusCode(); code != 200 {
				b.Fatalf("answered %d", code)
			}
		})
	}
}
