package httpwasm

import (
	"context"
	"os"
	"time"

	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/module"
)

// trimEvery is how often instances that nobody needs are ended.
const trimEvery = 30 * time.Second

// watch loads the guest's file again whenever it has changed. A file that cannot be loaded is told of once, and the guest
// that serves goes on.
func (f *Filter) watch(ctx context.Context, engine *module.Engine, env filter.Env, seen os.FileInfo) {
	look := time.NewTicker(time.Duration(f.settings.Reload))
	defer look.Stop()
	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	missing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-trim.C:
			f.current.Load().pool.trim()
			continue
		case <-look.C:
		}
		now, err := os.Stat(f.settings.File)
		if err != nil {
			if !missing {
				env.Log.Error().Err(err).Msg("http-wasm guest goes on without its file")
			}
			missing = true
			continue
		}
		missing = false
		age := time.Since(now.ModTime())
		if !changed(seen, now) || age >= 0 && age < settle {
			continue // not changed, or still being written
		}
		seen = now
		f.replace(engine, env)
	}
}

// settle is how old a change must be: whoever writes a file in place needs a moment.
const settle = 100 * time.Millisecond

// replace has the file's guest take over. Exchanges in the old one end there.
func (f *Filter) replace(engine *module.Engine, env filter.Env) {
	g, err := load(engine, f.settings, env)
	if err != nil {
		f.failures.Inc()
		env.Log.Error().Err(err).Str("serves", f.current.Load().program.Digest()).Msg("cannot load the changed http-wasm guest: the one before serves on")
		return
	}
	old := f.current.Swap(g)
	f.reloads.Inc()
	env.Log.Info().Str("digest", g.program.Digest()).Str("before", old.program.Digest()).Msg("changed http-wasm guest serves")
	old.release()
}
