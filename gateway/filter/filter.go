// Package filter is what looks at requests and answers on their way: rate limits, CORS, headers, caches, modules of
// other hosts. A kind of filter is a folder below this one and a line in kinds/kinds.go; a use of it is an entry of
// postern.filters.
package filter

import (
	"encoding/json"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/exchange"
)

// Filter is one use of a kind. Its methods may be called from any number of goroutines.
type Filter interface {
	// Serve answers x, or calls next once and may change the answer after that. The answer's head has not been written
	// when next returns, also if its body is a stream: see ReadBody for the body. A panic costs x alone.
	Serve(x *exchange.Exchange, next exchange.Handler)
	// Close frees what the filter holds; called once, when no request uses it any more.
	Close() error
}

// Explainer is a Filter that can say what Serve would do with x, for `postern explain`. It has no side effect. Stage is
// filled in by the caller; the zero Verdict is Pass.
type Explainer interface {
	Explain(x *exchange.Exchange) exchange.Finding
}

// Measurer is a Filter with state worth a metric: postern_filter_state, once for each name.
type Measurer interface {
	Measure(report func(name string, value float64))
}

// Position is where in the chain a filter stands.
type Position string

// The three positions.
const (
	// BeforeAuthentication is behind request info and the limits: x.Info is known, x.User is nil.
	BeforeAuthentication Position = "authentication"
	// BeforeDispatch is behind audit: x.User is who asks, impersonation not yet looked at. Refusals are audited.
	BeforeDispatch Position = "dispatch"
	// BeforeAnswer is behind authorization: x.User is in whose name the request is answered, and it is allowed.
	BeforeAnswer Position = "answer"
)

// Kind makes filters.
type Kind struct {
	// Name is the word under postern.filters[].kind.
	Name string
	// Positions are those that make sense; the first is the default.
	Positions []Position
	// Settings is a pointer to the zero value of what New decodes, for the JSON Schema; nil: any object.
	Settings any
	// New makes a filter of settings, a JSON object. A *SettingError says which setting is wrong.
	New func(settings json.RawMessage, env Env) (Filter, error)
	// Check finds what is wrong with settings without making anything; nil: New is called and the result closed, so New
	// must start nothing.
	Check func(settings json.RawMessage, env Env) error
}

// Env is what a filter is made with.
type Env struct {
	Name   string   // of this use
	Before Position // where it stands
	Log    zerolog.Logger
	// Event is the counter postern_filter_events_total of this filter with that event, a fixed word of the kind. It is
	// to be asked for in New, not for each request. It is never nil.
	Event func(event string) prometheus.Counter
	// CacheDir is a folder for what is costly to make, as compiled code; empty: none.
	CacheDir string
	// Trust says why a file of WebAssembly may not be run: somebody whose word is required has not signed it. It is nil where
	// filters are only checked.
	Trust func(wasm []byte) error
	// Runtime runs WebAssembly: a *module.Engine; nil where filters are only checked.
	Runtime any
	// Reread reads x.Info again after a filter has changed the method or the request target; one that does so cannot
	// stand before answer. False: who asks may not ask that, or it is malformed, and x has been answered.
	Reread func(x *exchange.Exchange) bool
}
