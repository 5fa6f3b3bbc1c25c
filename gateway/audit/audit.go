// Package audit is the hook around everything that decides and answers: what it hands to its sinks is what happened,
// refusals by later stages included.
package audit

import (
	"strconv"

	"github.com/posternhq/postern/gateway/exchange"
)

// Sink takes records.
type Sink interface {
	// Record is called once when an exchange has ended, its body or tunnel included. It must not block, nor keep x or
	// strings of it.
	Record(x *exchange.Exchange)
}

// Options of the stage.
type Options struct {
	Sinks []Sink // none: the stage passes everything on and does nothing else
}

// Stage has exchanges recorded.
type Stage struct {
	sinks  []Sink
	record func(*exchange.Exchange) // made once: a method value for each request would be an allocation
}

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage {
	s := &Stage{sinks: o.Sinks}
	s.record = func(x *exchange.Exchange) {
		for _, sink := range s.sinks {
			sink.Record(x)
		}
	}
	return s
}

// Name is "audit".
func (*Stage) Name() string { return "audit" }

// Serve passes x on and has it recorded when it ends.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	if len(s.sinks) > 0 {
		x.OnEnd(s.record)
	}
	next(x)
}

// Explain says whether x would be recorded.
func (s *Stage) Explain(*exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: s.Name(), Verdict: exchange.Pass, Reason: "not recorded: no sink"}
	if n := len(s.sinks); n > 0 {
		f.Reason = "recorded at its end, in sinks: " + strconv.Itoa(n)
	}
	return f
}
