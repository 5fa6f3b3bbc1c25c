// Package moduletest runs a Go module both ways, as WebAssembly in the gateway's own runtime and natively, and holds the
// answers against each other. Authors of modules use it in their tests.
package moduletest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/internal/variant"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/source"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/hostabi/guest"
)

// Module is the module whose test runs, both ways.
type Module struct {
	engine     *module.Engine
	generation *module.Generation
	about      *manifest.Manifest
	policy     module.Policy
}

// New compiles the package in the current folder, which is the one whose test runs, and loads it.
func New(t testing.TB, services module.Services, policy module.Policy) *Module {
	t.Helper()
	m, wasm := start(t, services, policy)
	m.load(t, wasm, variant.Variant{})
	return m
}

// Ways is New, and runs f as a subtest with the module in every way that its instances can come to be: the first one, a copy of
// it, and one that was not made interruptible. It compiles the module twice.
func Ways(t *testing.T, services module.Services, policy module.Policy, f func(t *testing.T, m *Module)) {
	m, wasm := start(t, services, policy)
	for _, way := range []struct {
		name string
		v    variant.Variant
	}{{"first", variant.Variant{}}, {"copy", variant.Variant{OnlyCopies: true}}, {"not metered", variant.Variant{NoFuel: true}}} {
		t.Run(way.name, func(t *testing.T) {
			one := *m
			one.load(t, wasm, way.v)
			f(t, &one)
		})
	}
}

// start builds the module and starts a runtime.
func start(t testing.TB, services module.Services, policy module.Policy) (*Module, []byte) {
	t.Helper()
	wasm, err := source.Build(t.Context(), ".")
	if err != nil {
		t.Fatal(err)
	}
	m := &Module{policy: policy}
	if m.about, err = manifest.Of(wasm); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if m.engine, err = module.NewEngine(ctx, module.Options{Log: zerolog.New(zerolog.NewTestWriter(t))}); err != nil {
		t.Fatal(err)
	}
	m.engine.SetServices(services)
	t.Cleanup(func() {
		if err := m.engine.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return m, wasm
}

// load loads the module until the end of the test.
func (m *Module) load(t testing.TB, wasm []byte, v variant.Variant) {
	t.Helper()
	ctx := variant.With(context.Background(), v)
	generation, err := m.engine.Load(ctx, wasm, func(string) module.Policy { return m.policy })
	if err != nil {
		t.Fatal(err)
	}
	m.generation = generation
	t.Cleanup(func() {
		generation.Retire()
		<-generation.Closed()
	})
}

// Request is what to ask.
type Request struct {
	Method  string // default GET
	URI     string
	User    *exchange.User
	Headers map[string]string
	Body    string
}

// Answer is what came.
type Answer struct {
	Code    int
	Headers string // as sent, without Date
	Body    string
}

// Native asks the natively compiled module.
func (m *Module) Native(r Request) Answer {
	return r.ask(func(x *exchange.Exchange) { m.engine.ServeNative(x, m.about, m.policy, guest.ServeNative) })
}

// Wasm asks the module in the runtime.
func (m *Module) Wasm(r Request) Answer { return r.ask(m.generation.Serve) }

// Ask asks both and fails the test unless they answer alike, byte for byte. What only reads is asked up to three times:
// answers have the time in them, and a second may turn between the two.
func (m *Module) Ask(t testing.TB, r Request) Answer {
	t.Helper()
	native, wasm := m.Native(r), m.Wasm(r)
	for again := 2; native != wasm && again > 0 && r.Body == "" && (r.Method == "" || r.Method == fasthttp.MethodGet); again-- {
		native, wasm = m.Native(r), m.Wasm(r)
	}
	if native != wasm {
		t.Errorf("%s %s: native and wasm differ\nnative: %+v\nwasm:   %+v", r.Method, r.URI, native, wasm)
	}
	return wasm
}

func (r Request) ask(serve exchange.Handler) Answer {
	ctx := new(fasthttp.RequestCtx)
	req := &ctx.Request
	if r.Method == "" {
		r.Method = fasthttp.MethodGet
	}
	req.Header.SetMethod(r.Method)
	req.SetRequestURI(r.URI)
	for name, value := range r.Headers {
		req.Header.Set(name, value)
	}
	req.SetBodyString(r.Body)
	stage := requestinfo.New()
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.ID, x.User = "00000000000000000000000000000000", r.User
		stage.Serve(x, serve)
	})
	head := ctx.Response.Header.String()
	var kept []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if !strings.HasPrefix(line, "Date:") {
			kept = append(kept, line)
		}
	}
	return Answer{ctx.Response.StatusCode(), strings.Join(kept, "\n"), string(ctx.Response.Body())}
}
