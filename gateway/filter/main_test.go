package filter

import (
	"encoding/json"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// probe is a filter for tests: its settings say what it does.
type probe struct {
	Do     string `json:"do"`
	made   int
	closed atomic.Bool
}

// probes makes a kind, and remembers what it made.
type probes struct{ all []*probe }

func (p *probes) kind() Kind {
	return Kind{Name: "probe", Positions: []Position{BeforeDispatch, BeforeAuthentication}, New: func(raw json.RawMessage, env Env) (Filter, error) {
		f := &probe{made: len(p.all)}
		if err := Decode(raw, f); err != nil {
			return nil, err
		}
		if f.Do == "fail" {
			return nil, Wrong("do", "cannot")
		}
		env.Event("made").Inc()
		p.all = append(p.all, f)
		return f, nil
	}}
}

func (p *probe) Serve(x *exchange.Exchange, next exchange.Handler) {
	switch p.Do {
	case "answer":
		x.HTTP.SetStatusCode(418)
	case "panic":
		panic("before")
	case "panicAfter":
		next(x)
		panic("after")
	default:
		next(x)
		x.HTTP.Response.Header.Set("X-Probe", p.Do)
	}
}

func (p *probe) Measure(report func(string, float64)) { report("made", float64(p.made)) }

func (p *probe) Close() error {
	if p.closed.Swap(true) {
		return errors.New("closed twice")
	}
	return nil
}

func testOptions(kinds ...Kind) (*Options, *prometheus.Registry) {
	r := prometheus.NewRegistry()
	return &Options{Kinds: kinds, Env: Env{Log: zerolog.New(io.Discard)}, Metrics: NewMetrics(r)}, r
}

func mustSet(t *testing.T, specs []Spec, old *Set, o *Options) *Set {
	t.Helper()
	s, err := New(specs, old, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// request serves one exchange of a GET of path.
func request(path string, serve exchange.Handler) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod("GET")
	ctx.Request.SetRequestURI(path)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.Info.Path = path
		serve(x)
	})
	return ctx
}
