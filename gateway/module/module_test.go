package module

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/source"
)

// guests are the compiled test guests, by folder name below testdata, each compiled once.
var guests struct {
	sync.Mutex
	dir   string
	built map[string][]byte
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "postern-guests")
	if err != nil {
		panic(err)
	}
	guests.dir, guests.built = dir, map[string][]byte{}
	date := goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1") // once for the process
	goleak.VerifyTestMain(m, date, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// build compiles a Go package to a guest with its module.yaml packed.
func build(t testing.TB, pkg string) []byte {
	t.Helper()
	guests.Lock()
	defer guests.Unlock()
	if b := guests.built[pkg]; b != nil {
		return b
	}
	packed, err := source.Build(context.Background(), pkg)
	if err != nil {
		t.Fatal(err)
	}
	guests.built[pkg] = packed
	return packed
}

// engine starts a runtime for a test.
func engine(t testing.TB, services Services) *Engine {
	t.Helper()
	e, err := NewEngine(context.Background(), Options{Log: zerolog.Nop(), CacheDir: guests.dir})
	if err != nil {
		t.Fatal(err)
	}
	e.SetServices(services)
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// load loads a guest and retires it when the test ends.
func load(t testing.TB, e *Engine, wasm []byte, policy Policy) *Generation {
	t.Helper()
	g, err := e.Load(context.Background(), wasm, func(string) Policy { return policy })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.Retire()
		select {
		case <-g.Closed():
		case <-time.After(10 * time.Second):
			t.Error("the generation did not close after it was retired")
		}
	})
	return g
}

// ask sends one request to serve and is its status and body.
func ask(t testing.TB, uri string, serve exchange.Handler) (int, string) {
	t.Helper()
	ctx := run(nil, uri, serve)
	return ctx.Response.StatusCode(), string(ctx.Response.Body())
}

// askAs is ask for a client that may leave; only the status.
func askAs(peer *exchange.Peer, uri string, serve exchange.Handler) int {
	return run(peer, uri, serve).Response.StatusCode()
}

func run(peer *exchange.Peer, uri string, serve exchange.Handler) *fasthttp.RequestCtx {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.SetRequestURI(uri)
	exchange.Run(ctx, peer, time.Now(), func(x *exchange.Exchange) {
		x.ID = "test"
		x.User = &exchange.User{Name: "alice", Groups: []string{"dev", "system:authenticated"}}
		x.Info.Path, x.Info.APIPrefix, x.Info.APIGroup, x.Info.APIVersion = string(ctx.Path()), "kapis", "test.postern.io", "v1"
		serve(x)
	})
	return ctx
}

func TestHelloAnswers(t *testing.T) {
	e := engine(t, Services{})
	g := load(t, e, build(t, "../../wasm-modules/hello"), Policy{Limits: DefaultLimits()})
	code, body := ask(t, "/kapis/hello.postern.io/v1/greetings?name=J%C3%BCrgen+K", g.Serve)
	if code != 200 || body != "Hello, Jürgen K!\n" {
		t.Errorf("got %d %q", code, body)
	}
	if code, body = ask(t, "/kapis/hello.postern.io/v1/nothing", g.Serve); code != 404 {
		t.Errorf("got %d %q, want 404", code, body)
	}
}
