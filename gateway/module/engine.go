// Package module runs WebAssembly modules that answer API groups: it loads, swaps and limits them, and gives them the host
// functions of hostabi. One instance of an asynchronous module serves many requests at once: a guest's call to a backend
// parks the guest's goroutine, not the instance.
package module

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/codecache"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// Forwarder passes a whole exchange to a backend, for postern.http/v1 forward. An error means that nothing was answered.
type Forwarder interface {
	Forward(x *exchange.Exchange, call *service.Call) service.Result
}

// Services are what host calls reach. A nil one answers NotFound; Forward: Unavailable.
type Services struct {
	Kube       service.Service
	Prometheus service.Service
	HTTP       service.Service
	Query      service.Service
	Access     service.Service
	Accounts   service.Service
	Forward    Forwarder
}

// Options configure an Engine.
type Options struct {
	// CacheDir holds compiled modules between runs; it contains machine code that is mapped and run, so only the gateway
	// may write there. Empty: nothing is kept, modules are compiled in this process, and none is unloaded.
	CacheDir string
	// CacheSize bounds CacheDir, bytes; what was used least recently goes. 0: codecache.DefaultSize.
	CacheSize int64
	// Compile makes the machine code that CacheDir does not have; nil: this process does. codecache.Child keeps its cost from
	// the traffic.
	Compile codecache.Compile
	Log     zerolog.Logger
}

// Engine compiles and instantiates modules: one WebAssembly runtime for all of them.
type Engine struct {
	opts     Options
	services atomic.Pointer[Services]
	runtime  wazero.Runtime
	cache    wazero.CompilationCache
	store    *codecache.Store // nil without a folder
	life     context.Context  // ends with Close
	end      context.CancelFunc
	code     codeLocks
	offering sync.Mutex
	tidying  tidying

	totalsMu sync.Mutex
	totals   map[string]*Totals // by name, at most maxTotals

	natives   sync.WaitGroup // programs that run natively
	nativeIDs atomic.Uint32
}

// NewEngine starts a runtime with the host functions of ABI v1.
func NewEngine(ctx context.Context, opts Options) (*Engine, error) {
	e := &Engine{opts: opts, cache: wazero.NewCompilationCache(), code: newCodeLocks()}
	e.life, e.end = context.WithCancel(context.WithoutCancel(ctx))
	e.services.Store(&Services{})
	if opts.CacheDir != "" {
		if err := e.open(); err != nil {
			e.end()
			return nil, err
		}
	}
	e.runtime = wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithCompilationCache(e.cache))
	if err := e.linkAll(ctx); err != nil {
		return nil, errors.Join(err, e.Close(ctx))
	}
	return e, nil
}

func (e *Engine) linkAll(ctx context.Context) error {
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, e.runtime); err != nil {
		return fmt.Errorf("cannot link WASI: %w", err)
	}
	for name, functions := range hostModules {
		if err := link(ctx, e.runtime, name, functions); err != nil {
			return err
		}
	}
	return nil
}

// open uses the folder of compiled modules.
func (e *Engine) open() (err error) {
	if e.opts.Compile == nil {
		e.opts.Compile = codecache.InProcess
	}
	if e.store, err = codecache.Open(e.opts.CacheDir, e.opts.CacheSize); err != nil {
		return err
	}
	if e.cache, err = wazero.NewCompilationCacheWithDir(e.store.Dir()); err != nil {
		return fmt.Errorf("cannot use %q as the cache of compiled modules: %w", e.opts.CacheDir, err)
	}
	return nil
}

// SetServices replaces what host calls reach, for calls from now on.
func (e *Engine) SetServices(s Services) { e.services.Store(&s) }

// Close ends the runtime; every generation must have been closed before.
func (e *Engine) Close(ctx context.Context) error {
	e.end()
	e.tidying.stop()
	e.natives.Wait()
	if err := errors.Join(e.runtime.Close(ctx), e.cache.Close(ctx)); err != nil {
		return fmt.Errorf("cannot close the WebAssembly runtime: %w", err)
	}
	return nil
}

// moduleConfig is how every instance is made: real clocks and randomness, no files, network, arguments or environment.
func moduleConfig(log *guestLog, i *instance) wazero.ModuleConfig {
	return wazero.NewModuleConfig().
		WithName(""). // instances of one module live side by side
		WithSysWalltime().WithSysNanotime().WithRandSource(rand.Reader).
		WithStdout(log.writer(i, hostabi.LevelInfo)).WithStderr(log.writer(i, hostabi.LevelError))
}
