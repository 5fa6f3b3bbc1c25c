//go:build linux

package cost

import (
	"context"
	"fmt"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/internal/variant"
	"github.com/posternhq/postern/gateway/requestinfo"
)

// subject is a module that was loaded to be measured.
type subject struct {
	engine *module.Engine
	*module.Generation
}

// load loads a module as v says, into a runtime of its own.
func load(ctx context.Context, wasm []byte, policy module.Policy, v variant.Variant) (*subject, error) {
	e, err := module.NewEngine(ctx, module.Options{Log: zerolog.Nop()})
	if err != nil {
		return nil, err
	}
	g, err := e.Load(variant.With(ctx, v), wasm, func(string) module.Policy { return policy })
	if err != nil {
		_ = e.Close(ctx)
		return nil, err
	}
	return &subject{e, g}, nil
}

// close frees it; an error would be the runtime's, at the end of a measurement.
func (s *subject) close() {
	s.Retire()
	<-s.Closed()
	_ = s.engine.Close(context.Background())
}

// ask sends a GET and fails unless the module answers 200.
func (s *subject) ask(uri string) error {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.SetRequestURI(uri)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.User = &exchange.User{Name: "bench"}
		requestinfo.New().Serve(x, s.Serve)
	})
	if code := ctx.Response.StatusCode(); code != fasthttp.StatusOK {
		return fmt.Errorf("%s: %d %s", uri, code, ctx.Response.Body())
	}
	return nil
}
