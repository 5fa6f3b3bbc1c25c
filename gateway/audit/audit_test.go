package audit_test

import (
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/audit"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// log keeps the codes that were recorded.
type log struct{ codes []int }

func (l *log) Record(x *exchange.Exchange) { l.codes = append(l.codes, x.Line().Status) }

func run(s *audit.Stage, next exchange.Handler) {
	exchange.Run(new(fasthttp.RequestCtx), nil, time.Now(), func(x *exchange.Exchange) { s.Serve(x, next) })
}

func TestEverySinkHearsOfEveryEnd(t *testing.T) {
	a, b := new(log), new(log)
	s := audit.New(audit.Options{Sinks: []audit.Sink{a, b}})
	run(s, func(x *exchange.Exchange) { x.HTTP.SetStatusCode(201) })
	run(s, func(x *exchange.Exchange) {
		status.Write(x, status.Forbidden, "no")
		if len(a.codes) != 1 {
			t.Errorf("recorded before the end: %v", a.codes)
		}
	})
	for _, l := range []*log{a, b} {
		if len(l.codes) != 2 || l.codes[0] != 201 || l.codes[1] != 403 {
			t.Errorf("recorded %v", l.codes)
		}
	}
}

func TestWithoutSinksItPassesOn(t *testing.T) {
	s, passed := audit.New(audit.Options{}), false
	run(s, func(*exchange.Exchange) { passed = true })
	if !passed {
		t.Error("not passed on")
	}
}

func TestExplain(t *testing.T) {
	for n, want := range map[int]string{0: "not recorded: no sink", 2: "recorded at its end, in sinks: 2"} {
		f := audit.New(audit.Options{Sinks: make([]audit.Sink, n)}).Explain(nil)
		if f.Stage != "audit" || f.Verdict != exchange.Pass || f.Reason != want {
			t.Errorf("%+v", f)
		}
	}
}
