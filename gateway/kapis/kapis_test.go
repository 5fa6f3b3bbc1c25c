package kapis

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/dispatch"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/requestinfo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stage serves one guest under two manifests: versioned.io/v1, and all of proxy.io.
func stage(t *testing.T) *Stage {
	t.Helper()
	code, err := os.ReadFile("../module/testdata/c/hello.wasm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, serves := range map[string]string{"versioned": "{group: versioned.io, versions: [v1]}", "proxy": "{group: proxy.io}"} {
		packed, err := manifest.Pack(code, []byte("name: "+name+"\nversion: \"1\"\nserves: ["+serves+"]\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".wasm"), packed, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	engine, err := module.NewEngine(t.Context(), module.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	m := manager.New(engine, manager.Options{
		Dir: dir, Interval: time.Hour, Log: zerolog.Nop(),
		Policy: func(string) module.Policy { return module.Policy{Limits: module.DefaultLimits()} },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = m.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-m.Ready()
	return New(m.Table)
}

func TestRouting(t *testing.T) {
	s := stage(t)
	before := []exchange.Stage{requestinfo.New(), dispatch.New(dispatch.Options{HostCluster: "host"})}
	for target, want := range map[string]string{
		"/kapis/versioned.io/v1/things":               "versioned",
		"/kapis/versioned.io/v1/namespaces/n/pods/p":  "versioned",
		"/kapis/versioned.io/v1":                      "versioned",
		"/kapis/versioned.io/v2/things":               "",
		"/kapis/versioned.io":                         "",
		"/kapis/proxy.io/v1/things":                   "proxy",
		"/kapis/proxy.io/any/thing":                   "proxy",
		"/kapis/proxy.io":                             "proxy",
		"/kapis/proxy.io/":                            "proxy",
		"/kapis/clusters/host/versioned.io/v1/things": "versioned",
		"/kapis/clusters/host/proxy.io/x":             "proxy",
		"/kapis/unknown.io/v1/things":                 "",
		"/kapis/":                                     "",
		"/kapis":                                      "",
		"/apis/versioned.io/v1/things":                "",
		"/healthz":                                    "",
	} {
		handled, passed, explained := "", false, ""
		ctx := new(fasthttp.RequestCtx)
		ctx.Request.SetRequestURI(target)
		exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
			x.User = &exchange.User{Name: "ann"}
			before[0].Serve(x, func(x *exchange.Exchange) {
				before[1].Serve(x, func(x *exchange.Exchange) {
					if f := s.Explain(x); f.Verdict == exchange.Answer {
						explained = f.Details["module"].(string)
					}
					s.Serve(x, func(*exchange.Exchange) { passed = true })
				})
			})
			handled = x.Handled
		})
		answered := string(ctx.Response.Body()) == "hello, ann\n"
		if explained != want || answered != (want != "") || want != "" && (passed || handled != "kapis") {
			t.Errorf("%s: module %q, want %q; answered %v by %q: %s", target, explained, want, answered, handled, ctx.Response.Body())
		}
	}
}
