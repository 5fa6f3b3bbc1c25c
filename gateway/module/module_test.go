package module

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
)

// cacheFolder keeps compiled guests between tests.
var cacheFolder string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "postern-guests")
	if err != nil {
		panic(err)
	}
	cacheFolder = dir
	date := goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1") // once for the process
	goleak.VerifyTestMain(m, date, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}

// engine starts a runtime for a test.
func engine(t testing.TB, services Services) *Engine {
	t.Helper()
	e, err := NewEngine(context.Background(), Options{Log: zerolog.Nop(), CacheDir: cacheFolder})
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

// askAs is ask for a client that may leave; only the status.
func askAs(peer *exchange.Peer, uri string, serve exchange.Handler) int {
	return guests.Run(peer, uri, serve).Response.StatusCode()
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
