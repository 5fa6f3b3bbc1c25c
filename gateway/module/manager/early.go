package manager

import (
	"context"
	"reflect"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/posternhq/postern/gateway/module"
)

// loadEarly loads the folder's modules side by side, for the first look, which then only has them serve: at the start there is no
// traffic yet whose cores that would take. What cannot be loaded is left to that look, which says why. Several may need compiling;
// the engine does that for one at a time.
func (m *Manager) loadEarly(ctx context.Context) {
	items, err := m.items()
	if err != nil {
		return
	}
	gens := make([]*module.Generation, len(items))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for n, it := range items {
		if it.wanted != nil || it.disabled {
			continue // of other sources it may take long to get them
		}
		group.Go(func() error {
			if wasm, err := it.read(ctx); err == nil {
				gens[n], _ = m.engine.Load(ctx, wasm, it.policy(*m.policy.Load()))
			}
			return nil
		})
	}
	_ = group.Wait() // none fails: see above
	m.early = map[string]*module.Generation{}
	for _, gen := range gens {
		switch {
		case gen == nil:
		case m.early[gen.Digest()] == nil:
			m.early[gen.Digest()] = gen
		default: // two files of one content; the second will be told so
			m.retire(gen)
		}
	}
}

// takeEarly is what loadEarly has made of some bytes, if it did so under this policy.
func (m *Manager) takeEarly(wasm []byte, policy func(name string) module.Policy) *module.Generation {
	if len(m.early) == 0 {
		return nil
	}
	gen := m.early[module.Digest(wasm)]
	if gen == nil || !reflect.DeepEqual(gen.Policy(), policy(gen.Manifest().Name)) {
		return nil
	}
	delete(m.early, gen.Digest())
	return gen
}

// dropEarly retires what the first look did not take.
func (m *Manager) dropEarly() {
	for _, gen := range m.early {
		m.retire(gen)
	}
	m.early = nil
}
