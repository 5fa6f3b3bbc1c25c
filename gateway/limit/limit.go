// Package limit bounds how many exchanges are being served at a time, long-running ones apart: a thousand watches must
// not keep anybody from a short request, nor the other way round.
package limit

import (
	"cmp"
	"sync/atomic"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// Options are the limits. Zero values stand for the defaults.
type Options struct {
	// InFlight is the number of exchanges that end by themselves: 2,048 by default.
	InFlight int
	// LongRunning is the number of watches, log streams, tunnels and the like: 10,000 by default.
	LongRunning int
}

// Stage refuses what is too much with 429 and Retry-After, which client-go obeys by itself. It must come after request
// info, which tells long-running requests from others, and before all that costs.
type Stage struct {
	short, long *gauge
	body        int64
}

var _ exchange.Stage = (*Stage)(nil)

// gauge counts exchanges being served.
type gauge struct {
	max     int64
	now     atomic.Int64
	refused atomic.Int64
	leave   func(*exchange.Exchange) // made once: no allocation per exchange
	message string
}

// New makes the stage.
func New(o Options) *Stage {
	s := &Stage{short: new(gauge), long: new(gauge)}
	s.short.init(cmp.Or(o.InFlight, 2048), "too many requests in flight")
	s.long.init(cmp.Or(o.LongRunning, 10000), "too many long-running requests")
	return s
}

// WithBody is a stage that counts together with s, and lets so many bytes of a request's body go on to a backend; 0: any
// number. Whoever sends the body keeps to it: see exchange.Exchange.MaxBody.
func (s *Stage) WithBody(bytes int64) *Stage {
	return &Stage{short: s.short, long: s.long, body: bytes}
}

func (g *gauge) init(limit int, message string) {
	g.max, g.message = int64(limit), message
	g.leave = func(*exchange.Exchange) { g.now.Add(-1) }
}

// Name is "limit".
func (s *Stage) Name() string { return "limit" }

// Serve passes x on, or refuses it with 429 TooManyRequests.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	g := s.gaugeOf(x)
	if g.now.Add(1) > g.max {
		g.now.Add(-1)
		g.refused.Add(1)
		x.Handled = s.Name()
		status.Write(x, status.TooManyRequests, g.message)
		x.HTTP.Response.Header.Set("Retry-After", "1") // seconds, as kube-apiserver says
		return
	}
	x.MaxBody = s.body
	x.OnEnd(g.leave)
	next(x)
}

// Explain always passes: what is in flight is not a property of the request.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	return exchange.Finding{
		Stage: s.Name(), Verdict: exchange.Pass,
		Details: map[string]any{"longRunning": x.Info.LongRunning(), "limit": s.gaugeOf(x).max},
	}
}

func (s *Stage) gaugeOf(x *exchange.Exchange) *gauge {
	if x.Info.LongRunning() {
		return s.long
	}
	return s.short
}

// Stats says how many exchanges are being served, and how many have been refused since the start.
type Stats struct{ InFlight, LongRunning, RefusedInFlight, RefusedLongRunning int64 }

// Stats is for metrics.
func (s *Stage) Stats() Stats {
	return Stats{s.short.now.Load(), s.long.now.Load(), s.short.refused.Load(), s.long.refused.Load()}
}
