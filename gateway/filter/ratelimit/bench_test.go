package ratelimit

import (
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

// BenchmarkServe is one limit by user, headers written.
func BenchmarkServe(b *testing.B) {
	f := filtertest.New(b, Kind, `{"limits":[{"by":"user","requests":1e9}]}`)
	filtertest.Do(f, filtertest.Request{User: alice}, func(x *exchange.Exchange) {
		next := func(*exchange.Exchange) {}
		b.ReportAllocs()
		for b.Loop() {
			f.Serve(x, next)
		}
	})
}
