// Package observe is the outermost stage: it sees every exchange begin and end, counts it, and writes the access log.
package observe

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/exchange"
)

// Options configure the stage.
type Options struct {
	Registry prometheus.Registerer
	// Log takes the access log: one line an exchange. It must not block.
	Log zerolog.Logger
}

// Access is what a configuration says of the access log.
type Access struct {
	On bool
	// Sampling logs one in so many answers below 300; 1 is all.
	Sampling int
	// TrustedProxies are networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
}

// Stage counts and logs. One lives as long as the gateway, through all configurations.
type Stage struct {
	opts     Options
	metrics  *metrics
	access   atomic.Pointer[Access]
	sampled  atomic.Uint64
	inFlight prometheus.Gauge
	end      func(*exchange.Exchange)
}

var _ exchange.Stage = (*Stage)(nil)

// New registers the metrics and makes the stage, with the access log on.
func New(opts Options) *Stage {
	s := &Stage{
		opts: opts, metrics: newMetrics(opts.Registry),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "postern_requests_in_flight", Help: "Requests being answered, watches and tunnels included.",
		}),
	}
	opts.Registry.MustRegister(s.inFlight)
	s.access.Store(&Access{On: true, Sampling: 1})
	s.end = s.ended // made once: a method value allocates
	return s
}

// Name is "observe".
func (*Stage) Name() string { return "observe" }

// SetAccess applies a configuration's access log settings.
func (s *Stage) SetAccess(a Access) { s.access.Store(&a) }

// Serve passes everything on.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	s.inFlight.Inc()
	x.SetClient(s.access.Load().TrustedProxies)
	x.OnEnd(s.end)
	next(x)
}

// Explain passes.
func (s *Stage) Explain(*exchange.Exchange) exchange.Finding {
	return exchange.Finding{Stage: s.Name(), Verdict: exchange.Pass, Reason: "counts and logs"}
}

func (s *Stage) ended(x *exchange.Exchange) {
	s.inFlight.Dec()
	took := time.Since(x.Received)
	line := x.Line()
	s.metrics.observe(&x.Info, line.Status, took.Seconds())
	if s.wanted(line.Status) {
		s.log(x, &line, took)
	}
}

// wanted says whether an exchange with this status is logged. Errors always are.
func (s *Stage) wanted(status int) bool {
	a := s.access.Load()
	if !a.On {
		return false
	}
	return a.Sampling <= 1 || status >= 300 || s.sampled.Add(1)%uint64(a.Sampling) == 0
}

// log writes one line. Credentials are in none of its fields: the query may hold them, so only its length is there.
func (s *Stage) log(x *exchange.Exchange, line *exchange.Line, took time.Duration) {
	path, query := split(line.URI)
	var remote [48]byte // an IPv6 address without a zone, and a port
	e := s.opts.Log.Log().Str("requestId", x.ID).Bytes("remote", x.AppendClient(remote[:0])).Str("method", cut(line.Method)).Str("path", cut(path)).
		Int("queryBytes", query).Str("verb", cut(x.Info.Verb)).Str("stage", x.Handled).Int("status", line.Status).
		Int64("bytes", size(x)).Float64("ms", ms(took)).Float64("upstreamMs", ms(x.Upstream)).Str("userAgent", cut(line.UserAgent))
	if x.User != nil {
		e = e.Str("user", x.User.Name).Str("auth", x.User.Method)
	}
	if x.Impersonator != nil {
		e = e.Str("impersonator", x.Impersonator.Name)
	}
	if x.Reason != "" {
		e = e.Str("reason", cut(x.Reason))
	}
	e.Msg("request")
}

// split is a URI's path and the length of its query.
func split(uri string) (path string, query int) {
	for i := range len(uri) {
		if uri[i] == '?' {
			return uri[:i], len(uri) - i - 1
		}
	}
	return uri, 0
}

// cut bounds what a client wrote, so that it cannot make a line too long for the log.
func cut(text string) string { return text[:min(len(text), maxField)] }

// maxField is the length of a field that a client fills, bytes. Escaped it may be six times as long.
const maxField = 512

// size is how many bytes the answer's body has.
func size(x *exchange.Exchange) int64 {
	if x.Written > 0 || x.HTTP.Response.IsBodyStream() {
		return x.Written
	}
	return int64(len(x.HTTP.Response.Body()))
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
