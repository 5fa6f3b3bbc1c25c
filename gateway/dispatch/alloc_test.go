//go:build !race

package dispatch_test

import (
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/dispatch"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestHostAllocatesNothing(t *testing.T) {
	s := dispatch.New(dispatch.Options{})
	x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx), Info: exchange.RequestInfo{Cluster: "host"}}
	passed := 0
	next := func(*exchange.Exchange) { passed++ }
	if n := testing.AllocsPerRun(100, func() {
		x.HTTP.Request.SetRequestURI("/api/clusters/host/v1/pods")
		s.Serve(x, next)
	}); n != 0 || passed != 101 {
		t.Errorf("%v allocations, %d passed on", n, passed)
	}
}
