// Package filtertest has authors of filter kinds try them on exchanges.
package filtertest

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
)

// Env is one for tests; what events are counted, nobody sees.
func Env(before filter.Position) filter.Env {
	return filter.Env{Name: "test", Before: before, Log: zerolog.Nop(), Event: func(string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "test"})
	}}
}

// New makes a filter of kind, in its default position, and closes it with the test.
func New(t testing.TB, kind filter.Kind, settings string) filter.Filter {
	t.Helper()
	f, err := kind.New(json.RawMessage(settings), Env(kind.Positions[0]))
	if err != nil {
		t.Fatalf("%s: %v", settings, err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// Refused checks that settings of kind are refused with a message that begins with want.
func Refused(t testing.TB, kind filter.Kind, before filter.Position, settings, want string) {
	t.Helper()
	_, err := kind.New(json.RawMessage(settings), Env(before))
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%s: got %v, want %s", settings, err, want)
	}
}

// Request is a request for Serve; the zero value is GET / of nobody from 192.0.2.1.
type Request struct {
	Method, Path, From string
	User               *exchange.User
	Header             map[string]string
	Body               string
	Info               func(*exchange.RequestInfo)
	At                 time.Time
}

// Do serves r by f, with last behind it; nil answers 200 and "ok".
func Do(f filter.Filter, r Request, last exchange.Handler) *fasthttp.RequestCtx {
	if last == nil {
		last = func(x *exchange.Exchange) { x.HTTP.Response.SetBodyString("ok") }
	}
	ctx := new(fasthttp.RequestCtx)
	from := net.ParseIP("192.0.2.1")
	if r.From != "" {
		from = net.ParseIP(r.From)
	}
	ctx.SetRemoteAddr(&net.TCPAddr{IP: from, Port: 1})
	if r.Method == "" {
		r.Method = "GET"
	}
	if r.Path == "" {
		r.Path = "/"
	}
	if r.At.IsZero() {
		r.At = time.Now()
	}
	ctx.Request.Header.SetMethod(r.Method)
	ctx.Request.SetRequestURI(r.Path)
	ctx.Request.Header.SetHost("gateway")
	for name, value := range r.Header {
		ctx.Request.Header.Set(name, value)
	}
	if r.Body != "" {
		ctx.Request.SetBodyString(r.Body)
		ctx.Request.Header.SetContentLength(len(r.Body))
	}
	exchange.Run(ctx, nil, r.At, func(x *exchange.Exchange) {
		x.User, x.ID = r.User, "id"
		x.Info.Path = string(ctx.Path())
		if r.Info != nil {
			r.Info(&x.Info)
		}
		f.Serve(x, last)
	})
	return ctx
}
