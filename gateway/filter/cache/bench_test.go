package cache

import (
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

// BenchmarkHit answers a small body that is kept.
func BenchmarkHit(b *testing.B) {
	f, o := filtertest.New(b, Kind, `{"ttl":"24h"}`), &origin{}
	filtertest.Do(f, get(alice), o.serve)
	filtertest.Do(passing{f.(*Filter)}, get(alice), func(x *exchange.Exchange) {
		next := func(*exchange.Exchange) { b.Error("no hit") }
		b.ReportAllocs()
		for b.Loop() {
			x.HTTP.Response.Header.Reset()
			f.Serve(x, next)
		}
	})
}

// passing is a filter that is not asked: the exchange is the benchmark's.
type passing struct{ *Filter }

func (passing) Serve(x *exchange.Exchange, next exchange.Handler) { next(x) }
