// Package httpwasm is the kind of filter that runs guests of the http-wasm handler ABI (http-wasm.io): WebAssembly modules
// that see requests before, and answers behind, whatever serves them. They run in the gateway's own runtime, with its
// metering and limits.
package httpwasm

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/module"
)

// Kind is wasm. It stands in front of authorization in any case: a guest may change what is asked for, and that is what
// must be allowed.
var Kind = filter.Kind{
	Name: "wasm", Positions: []filter.Position{filter.BeforeDispatch, filter.BeforeAuthentication},
	Settings: new(settings), New: open, Check: check,
}

// Filter is one use of a guest.
type Filter struct {
	name     string
	settings *settings
	wait     time.Duration
	current  atomic.Pointer[generation]

	traps, busy, open, reloads, failures prometheus.Counter

	stop  context.CancelFunc
	ended sync.WaitGroup
}

var (
	_ filter.Filter    = (*Filter)(nil)
	_ filter.Measurer  = (*Filter)(nil)
	_ filter.Explainer = (*Filter)(nil)
)

func open(raw json.RawMessage, env filter.Env) (filter.Filter, error) {
	s, err := decode(raw)
	if err != nil {
		return nil, err
	}
	engine, ok := env.Runtime.(*module.Engine)
	if !ok {
		return nil, errors.New("this gateway has no WebAssembly runtime")
	}
	if err := engine.Offer(context.Background(), moduleName, functions); err != nil {
		return nil, err
	}
	seen, err := os.Stat(s.File)
	if err != nil {
		return nil, filter.Wrong("file", "cannot read the guest: %w", err)
	}
	g, err := load(engine, s, env)
	if err != nil {
		return nil, err
	}
	f := &Filter{
		name: env.Name, settings: s, wait: time.Duration(s.QueueWait),
		traps: env.Event("failed"), busy: env.Event("busy"), open: env.Event("passed_open"),
		reloads: env.Event("reloaded"), failures: env.Event("reload_failed"),
	}
	f.current.Store(g)
	env.Log.Info().Str("file", s.File).Str("digest", g.program.Digest()).Msg("http-wasm guest serves")
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.ended.Go(func() { f.watch(ctx, engine, env, seen) })
	return f, nil
}

// Close ends the guest. No request uses the filter any more.
func (f *Filter) Close() error {
	f.stop()
	f.ended.Wait()
	f.current.Load().release()
	return nil
}

// Measure reports what the guest that serves now holds.
func (f *Filter) Measure(report func(name string, value float64)) {
	stats := f.current.Load().program.Stats()
	report("instances", float64(stats.Instances.Load()))
	report("memory_bytes", float64(stats.Memory.Load()))
	report("guest_seconds", float64(stats.GuestTime.Load())/1e9)
}

// Explain names the guest; what it would do only it knows.
func (f *Filter) Explain(*exchange.Exchange) exchange.Finding {
	return exchange.Finding{
		Reason:  "a guest decides",
		Details: map[string]any{"file": f.settings.File, "digest": f.current.Load().program.Digest()},
	}
}
