//go:build !race

package observe

import (
	"io"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/exchange"
)

func TestCountingAndLoggingAllocateNothing(t *testing.T) {
	s := New(Options{Registry: prometheus.NewRegistry(), Log: zerolog.New(io.Discard).With().Timestamp().Logger()})
	ctx, next, now := request("/api/v1/namespaces/n/pods/p?limit=1"), answer(200), time.Now()
	chain := func(x *exchange.Exchange) { s.Serve(x, next) }
	if n := testing.AllocsPerRun(1000, func() { exchange.Run(ctx, nil, now, chain) }); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	s := New(Options{Registry: prometheus.NewRegistry(), Log: zerolog.New(io.Discard).With().Timestamp().Logger()})
	ctx, next := request("/api/v1/namespaces/n/pods/p?limit=1"), answer(200)
	chain := func(x *exchange.Exchange) { s.Serve(x, next) }
	for b.Loop() {
		exchange.Run(ctx, nil, time.Now(), chain)
	}
}
