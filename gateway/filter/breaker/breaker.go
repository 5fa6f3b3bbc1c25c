// Package breaker keeps requests from a backend that fails, so that it can recover and clients get their answer at once.
package breaker

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/lru"
	"github.com/posternhq/postern/gateway/status"
)

// Kind is circuitBreaker. It stands before what answers and nowhere else: refusals of the gateway's own are no failures.
var Kind = filter.Kind{
	Name: "circuitBreaker", Positions: []filter.Position{filter.BeforeAnswer}, Settings: new(settings), New: newFilter,
}

type settings struct {
	By          string          `json:"by,omitempty" jsonschema:"enum=backend,enum=all,default=backend,description=backend: kube-apiserver of each cluster and each module's API group has a circuit of its own"`
	Window      filter.Duration `json:"window,omitempty" jsonschema:"type=string,default=10s,description=what is counted"`
	MinRequests int             `json:"minRequests,omitempty" jsonschema:"minimum=1,default=20,description=with fewer in the window it never opens"`
	ErrorRate   float64         `json:"errorRate,omitempty" jsonschema:"default=0.5,description=part of the requests that fail\\, over 0 to 1\\, at which it opens"`
	Codes       []int           `json:"codes,omitempty" jsonschema:"description=what is a failure; by default 502\\, 503\\, 504"`
	OpenFor     filter.Duration `json:"openFor,omitempty" jsonschema:"type=string,default=10s,description=how long nothing is let through"`
	Probes      int             `json:"probes,omitempty" jsonschema:"minimum=1,default=1,description=requests that must go well before all are let through again"`
}

// options are settings as circuits use them.
type options struct {
	window, openFor        time.Duration
	minimum, probes        int
	rate                   float64
	codes                  []int
	opened, closed, probed prometheus.Counter
}

// Filter is the circuits of one use.
type Filter struct {
	opts     options
	all      bool
	refused  prometheus.Counter
	circuits *lru.Cache[backend, *circuit]
	fresh    func() *circuit
}

// backend is whom a circuit is about. Its strings may be the exchange's.
type backend struct{ cluster, prefix, group string }

// maxBackends bounds the circuits, some 300 bytes each; of who has not been asked for longest nothing is known any more.
const maxBackends = 1024

var (
	_ filter.Filter    = (*Filter)(nil)
	_ filter.Explainer = (*Filter)(nil)
	_ filter.Measurer  = (*Filter)(nil)
)

func newFilter(raw json.RawMessage, env filter.Env) (filter.Filter, error) {
	s := settings{
		By: "backend", Window: filter.Duration(10 * time.Second), MinRequests: 20, ErrorRate: 0.5, Codes: []int{502, 503, 504},
		OpenFor: filter.Duration(10 * time.Second), Probes: 1,
	}
	if err := filter.Decode(raw, &s); err != nil {
		return nil, err
	}
	switch {
	case s.By != "backend" && s.By != "all":
		return nil, filter.Wrong("by", "want backend or all, have %q", s.By)
	case time.Duration(s.Window) < time.Second:
		return nil, filter.Wrong("window", "must be 1s at least")
	case s.MinRequests < 1:
		return nil, filter.Wrong("minRequests", "must be greater than 0, is %d", s.MinRequests)
	case !(s.ErrorRate > 0 && s.ErrorRate <= 1):
		return nil, filter.Wrong("errorRate", "must be greater than 0 and at most 1, is %v", s.ErrorRate)
	case s.OpenFor <= 0:
		return nil, filter.Wrong("openFor", "must be greater than 0")
	case s.Probes < 1:
		return nil, filter.Wrong("probes", "must be greater than 0, is %d", s.Probes)
	}
	for i, code := range s.Codes {
		if code < 400 || code > 599 {
			return nil, filter.Wrong(fmt.Sprintf("codes[%d]", i), "want 400 to 599, have %d", code)
		}
	}
	f := &Filter{all: s.By == "all", refused: env.Event("refused"), circuits: lru.New[backend, *circuit](16, maxBackends, 0), opts: options{
		window: time.Duration(s.Window), openFor: time.Duration(s.OpenFor), minimum: s.MinRequests, probes: s.Probes, rate: s.ErrorRate,
		codes: s.Codes, opened: env.Event("opened"), closed: env.Event("closed"), probed: env.Event("probe"),
	}}
	f.fresh = func() *circuit { return &circuit{opts: &f.opts} }
	return f, nil
}

// backendOf is who answers info.
func (f *Filter) backendOf(info *exchange.RequestInfo) (b backend) {
	if f.all {
		return b
	}
	b = backend{cluster: info.Cluster, prefix: "kubernetes"}
	if info.APIPrefix == "kapis" {
		b.prefix, b.group = info.APIPrefix, info.APIGroup
	}
	return b
}

func (f *Filter) circuit(info *exchange.RequestInfo) *circuit {
	b := f.backendOf(info)
	if c, ok := f.circuits.Get(b); ok {
		return c
	}
	b.cluster, b.prefix, b.group = strings.Clone(b.cluster), strings.Clone(b.prefix), strings.Clone(b.group)
	return f.circuits.GetOrAdd(b, f.fresh)
}

// Serve passes x on while the circuit is closed, or as a probe; else it answers 503 with the time to wait. Of watches and
// tunnels their beginning counts.
func (f *Filter) Serve(x *exchange.Exchange, next exchange.Handler) {
	c := f.circuit(&x.Info)
	turn, ok, wait := c.enter(time.Now())
	if !ok {
		f.refused.Inc()
		status.Write(x, status.ServiceUnavailable, "the backend fails, and is left alone for a while")
		x.HTTP.Response.Header.Set("Retry-After", strconv.FormatInt(int64(max(1, math.Ceil(wait.Seconds()))), 10))
		return
	}
	v := bad // also when next panics
	defer func() { c.leave(time.Now(), turn, v) }()
	next(x)
	switch {
	case x.Gone():
		v = unknown
	case x.HTTP.Hijacked() || !slices.Contains(f.opts.codes, x.HTTP.Response.StatusCode()):
		v = fine
	}
}

// Explain says whose circuit it is, and whether it lets requests through now.
func (f *Filter) Explain(x *exchange.Exchange) exchange.Finding {
	b := f.backendOf(&x.Info)
	word := "closed"
	if c, ok := f.circuits.Get(b); ok && c.isOpen() {
		word = "open"
	}
	return exchange.Finding{Reason: "circuit is " + word, Details: map[string]any{"backend": strings.Trim(b.cluster+"/"+b.prefix+"/"+b.group, "/")}}
}

// Measure reports circuits, and those of them that refuse.
func (f *Filter) Measure(report func(string, float64)) {
	open := 0
	f.circuits.Each(func(c *circuit) {
		if c.isOpen() {
			open++
		}
	})
	report("circuits", float64(f.circuits.Len()))
	report("open", float64(open))
}

// Close has nothing to free.
func (*Filter) Close() error { return nil }
