//go:build !race

package impersonation_test

import (
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/impersonation"
)

func TestWithoutHeadersItAllocatesNothing(t *testing.T) {
	s := impersonation.New(impersonation.Options{Authorizer: grants{}})
	x := &exchange.Exchange{HTTP: new(fasthttp.RequestCtx), User: &exchange.User{Name: "boss"}}
	x.HTTP.Request.Header.Set("Accept", "application/json")
	x.HTTP.Request.Header.Set("If-Match", "x")
	passed := 0
	next := func(*exchange.Exchange) { passed++ }
	if n := testing.AllocsPerRun(100, func() { s.Serve(x, next) }); n != 0 || passed != 101 {
		t.Errorf("%v allocations, %d passed on", n, passed)
	}
}
