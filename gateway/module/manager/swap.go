package manager

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/module"
)

// bring has a new version serve: at once, or by way of a rollout.
func (m *Manager) bring(ctx context.Context, s *slot, gen *module.Generation, wasm []byte, direct bool) {
	rollout := m.rollout(s, gen)
	if rollout == nil || direct {
		m.install(s, gen, wasm)
		return
	}
	if s.gen == nil && len(s.kept.History) > 0 && s.kept.History[0].Digest != gen.Digest() {
		// The gateway has restarted while the version was tried, or it came in between: the one before serves meanwhile.
		if err := m.restoreOne(ctx, s, s.kept.earlier(gen.Digest())); err != nil {
			m.opts.Log.Warn().Err(err).Str("file", s.item.key).Msg("cannot have an earlier version serve: the new one does at once")
		}
	}
	if s.gen == nil || s.gen.Digest() == gen.Digest() {
		m.install(s, gen, wasm)
		return
	}
	m.begin(s, gen, wasm, *rollout)
}

// install has gen serve in the place of the slot's generation.
func (m *Manager) install(s *slot, gen *module.Generation, wasm []byte) {
	m.endTrial(s)
	m.keep(s, gen, wasm)
	m.replace(s, gen)
}

// replace swaps the generation that serves.
func (m *Manager) replace(s *slot, gen *module.Generation) {
	old := s.gen
	m.mu.Lock()
	s.gen, s.err, s.loaded = gen, nil, time.Now()
	m.mu.Unlock()
	s.module.serving.Store(&arms{main: gen})
	m.publish()
	m.opts.Log.Info().Str("file", s.item.key).Str("module", gen.Manifest().Name).Str("version", gen.Manifest().Version).
		Str("digest", gen.Digest()[:12]).Dur("took", gen.Took()).Msg("module serves")
	if old == nil {
		return
	}
	m.retire(old)
	for _, route := range old.Manifest().Routes() {
		if !slices.Contains(gen.Manifest().Routes(), route) {
			m.retryRefused()
			m.Look()
			return
		}
	}
}

// keep notes what serves, and keeps its bytes. A folder that cannot be written to costs the history, not the module.
func (m *Manager) keep(s *slot, gen *module.Generation, wasm []byte) {
	m.mu.Lock()
	s.kept.served(gen.Digest(), gen.Manifest().Version, time.Now())
	m.mu.Unlock()
	var err error
	if wasm != nil {
		err = m.store.put(s.item.key, gen.Digest(), wasm)
	}
	m.saved(errors.Join(err, m.store.save(s.item.key, &s.kept, "")))
}

// saved says when the history could not be kept: once, until it can again.
func (m *Manager) saved(err error) {
	m.mu.Lock()
	news := err != nil && m.keepErr == nil
	m.keepErr = err
	m.mu.Unlock()
	if news {
		m.opts.Log.Warn().Err(err).Msg("no earlier versions of modules are kept: set postern.modules.historyDir to a folder that can be written to")
	}
}

// HistoryProblem is why earlier versions of modules are not kept; nil when they are.
func (m *Manager) HistoryProblem() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.keepErr
}

// publish makes a new table of what is loaded. What has gone serves as long as nothing has taken its place.
func (m *Manager) publish() {
	routes := map[string]*Module{}
	for _, s := range m.slots {
		if s.gen == nil {
			continue
		}
		for _, route := range s.gen.Manifest().Routes() {
			if routes[route] == nil || !s.gone {
				routes[route] = s.module
			}
		}
	}
	m.table.Store(&Table{routes: routes})
}

// retire lets a generation end its requests and go.
func (m *Manager) retire(g *module.Generation) {
	m.retired[g] = struct{}{}
	g.Retire()
}

// sweep forgets the retired generations that have gone.
func (m *Manager) sweep() {
	for g := range m.retired {
		select {
		case <-g.Closed():
			delete(m.retired, g)
		default:
		}
	}
}
