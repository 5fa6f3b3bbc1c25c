//go:build !race

package cache

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

// TestHitAllocatesNothing is left out under the race detector, which has pools drop what they hold.
func TestHitAllocatesNothing(t *testing.T) {
	f, o := filtertest.New(t, Kind, `{}`), &origin{header: map[string]string{"Cache-Control": "max-age=1000"}}
	filtertest.Do(f, get(alice), o.serve)
	filtertest.Do(f, get(alice), func(*exchange.Exchange) { t.Error("no hit") })
	r := get(alice)
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod("GET")
	ctx.Request.SetRequestURI(r.Path)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.User, x.Info.Path = alice, r.Path
		next := func(*exchange.Exchange) { t.Error("no hit") }
		f.Serve(x, next)
		if n := testing.AllocsPerRun(100, func() { x.HTTP.Response.Header.Reset(); f.Serve(x, next) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
