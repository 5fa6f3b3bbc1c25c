package limit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/limit"
	"github.com/valyala/fasthttp"
)

// serve runs an exchange through s, with inside called while it is in flight.
func serve(s *limit.Stage, info exchange.RequestInfo, inside func()) *fasthttp.Response {
	ctx := new(fasthttp.RequestCtx)
	exchange.Run(ctx, nil, time.Time{}, func(x *exchange.Exchange) {
		x.Info = info
		s.Serve(x, func(*exchange.Exchange) { inside() })
	})
	return &ctx.Response
}

func TestLimitsAreApart(t *testing.T) {
	s := limit.New(limit.Options{InFlight: 1, LongRunning: 1})
	short := exchange.RequestInfo{Verb: "get"}
	long := exchange.RequestInfo{Verb: "watch", IsResourceRequest: true, IsKubernetesRequest: true}
	var second, other *fasthttp.Response
	var reached int
	first := serve(s, short, func() {
		second = serve(s, short, func() { reached++ })
		other = serve(s, long, func() { reached += 10 })
	})
	if first.StatusCode() != 200 || other.StatusCode() != 200 || reached != 10 {
		t.Errorf("first %d, long-running beside it %d, reached %d", first.StatusCode(), other.StatusCode(), reached)
	}
	if second.StatusCode() != 429 || string(second.Header.Peek("Retry-After")) != "1" {
		t.Errorf("second: %d, Retry-After %q", second.StatusCode(), second.Header.Peek("Retry-After"))
	}
	if !strings.Contains(string(second.Body()), `"reason":"TooManyRequests"`) {
		t.Errorf("second: %s", second.Body())
	}
	if got := s.Stats(); got != (limit.Stats{RefusedInFlight: 1}) {
		t.Errorf("after the end: %+v", got)
	}
	if again := serve(s, short, func() {}); again.StatusCode() != 200 {
		t.Errorf("after the end: %d", again.StatusCode())
	}
}

func TestExplain(t *testing.T) {
	s := limit.New(limit.Options{})
	x := &exchange.Exchange{Info: exchange.RequestInfo{Verb: "watch", IsResourceRequest: true, IsKubernetesRequest: true}}
	f := s.Explain(x)
	if f.Verdict != exchange.Pass || f.Details["longRunning"] != true || f.Details["limit"] != int64(10000) {
		t.Errorf("%+v", f)
	}
}

// TestWithBody: another limit of bodies does not forget what is in flight.
func TestWithBody(t *testing.T) {
	first := limit.New(limit.Options{InFlight: 1})
	second := first.WithBody(7)
	var inside *fasthttp.Response
	serve(first, exchange.RequestInfo{}, func() { inside = serve(second, exchange.RequestInfo{}, func() {}) })
	if inside.StatusCode() != 429 || first.Stats() != second.Stats() {
		t.Errorf("%d; %+v and %+v", inside.StatusCode(), first.Stats(), second.Stats())
	}
	for s, want := range map[*limit.Stage]int64{first: 0, second: 7, second.WithBody(0): 0} {
		exchange.Run(new(fasthttp.RequestCtx), nil, time.Time{}, func(x *exchange.Exchange) {
			s.Serve(x, func(x *exchange.Exchange) {
				if x.MaxBody != want {
					t.Errorf("%d bytes, want %d", x.MaxBody, want)
				}
			})
		})
	}
}
