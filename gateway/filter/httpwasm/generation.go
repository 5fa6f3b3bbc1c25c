package httpwasm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/lease"
	"github.com/posternhq/postern/gateway/module"
)

// generation is one loaded version of a guest, with its instances. It is closed when it has been retired and its last
// exchange has left the guest, by count.
type generation struct {
	program  *module.Foreign
	settings *settings
	config   []byte
	log      zerolog.Logger
	ignored  prometheus.Counter // headers that no guest may set
	reread   func(x *exchange.Exchange) bool
	pool     *pool
	shares   lease.Count // of exchanges, and 1 until it is retired
}

// load compiles a guest and starts its first instance, so that one that cannot run is refused before it takes over.
func load(engine *module.Engine, s *settings, env filter.Env) (*generation, error) {
	wasm, err := s.read()
	if err != nil {
		return nil, err
	}
	if env.Trust != nil {
		if err := env.Trust(wasm); err != nil {
			return nil, filter.Wrong("file", "%q: %w", s.File, err)
		}
	}
	program, err := engine.Compile(context.Background(), env.Name, moduleName, functions, wasm, s.Limits.forEngine())
	if err != nil {
		return nil, filter.Wrong("file", "%q: %w", s.File, err)
	}
	g := &generation{
		program: program, settings: s, config: s.forGuest(), log: env.Log, ignored: env.Event("header_ignored"),
		reread: env.Reread, pool: newPool(s.PoolSize),
	}
	g.shares.Begin()
	if err := checkExports(program); err != nil {
		return nil, errors.Join(filter.Wrong("file", "%q %w", s.File, err), program.Close())
	}
	i, err := g.start()
	if err != nil {
		return nil, errors.Join(filter.Wrong("file", "%q: %w", s.File, err), program.Close())
	}
	g.pool.put(i)
	return g, nil
}

// start makes an instance and runs the guest's start.
func (g *generation) start() (*instance, error) {
	i := new(instance)
	i.call.g = g
	process, err := g.program.Start(i, time.Duration(g.settings.Limits.StartCPU))
	if err != nil {
		return nil, fmt.Errorf("cannot start: %w", err)
	}
	i.process, i.features = process, i.call.features
	i.request, i.response = process.Function(exportRequest), process.Function(exportResponse)
	return i, nil
}

// release gives a share back. The last one closes.
func (g *generation) release() {
	if !g.shares.Drop() {
		return
	}
	g.pool.close()
	if err := g.program.Close(); err != nil {
		g.log.Error().Err(err).Msg("cannot free a guest")
	}
}
