package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manifest"
)

// slot is one file of the folder.
type slot struct {
	stamp  stamp
	digest string                           // of what was last tried; empty when it could not be read
	policy *func(name string) module.Policy // it was tried under
	retry  bool                             // try again what was refused: something that stood in its way has changed
	gone   bool                             // the file is not there any more: others may take over what it serves
	gen    *module.Generation
	module *Module
	err    error // why what was last tried does not serve
	loaded time.Time
}

// unchanged says whether there is nothing new in the file since it was last tried.
func (s *slot) unchanged(now stamp) bool {
	return s.stamp.info != nil && s.stamp.equal(now) && (s.err == nil || s.digest != "")
}

// scan makes what serves follow the folder and the policy. What has gone goes last, so that a module that has moved to
// another file serves all the time.
func (m *Manager) scan(ctx context.Context) {
	files, err := list(m.opts.Dir)
	if err != nil {
		if m.listErr != err.Error() { // said once, not at every look
			m.opts.Log.Error().Err(err).Str("dir", m.opts.Dir).Msg("modules keep serving as they are")
		}
		m.listErr = err.Error()
		return
	}
	m.listErr = ""
	m.markGone(files)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if ctx.Err() != nil {
			return
		}
		m.update(ctx, name, files[name])
	}
	m.removeGone()
	m.sweep()
}

// markGone finds the slots whose files are not there any more.
func (m *Manager) markGone(files map[string]stamp) {
	freed := false
	for name, s := range m.slots {
		_, there := files[name]
		s.gone = !there
		freed = freed || s.gone && s.gen != nil
	}
	if freed {
		m.retryRefused()
	}
}

// retryRefused has what was refused tried again: a group may have become free.
func (m *Manager) retryRefused() {
	for _, s := range m.slots {
		s.retry = s.err != nil
	}
}

// removeGone retires the modules whose files are gone.
func (m *Manager) removeGone() {
	for name, s := range m.slots {
		if !s.gone {
			continue
		}
		m.mu.Lock()
		delete(m.slots, name)
		m.mu.Unlock()
		if s.gen != nil {
			m.publish()
			s.module.serving.Store(nil)
			m.retire(s.gen)
			m.opts.Log.Info().Str("file", name).Str("module", s.gen.Manifest().Name).Msg("module removed")
		}
	}
}

// slot is the file's, made if it is new.
func (m *Manager) slot(name string) *slot {
	s := m.slots[name]
	if s == nil {
		s = &slot{module: &Module{file: name}}
		m.mu.Lock()
		m.slots[name] = s
		m.mu.Unlock()
	}
	return s
}

// update loads one file if it or its policy has changed.
func (m *Manager) update(ctx context.Context, name string, now stamp) {
	s, policy := m.slot(name), m.policy.Load()
	again := s.retry || s.policy != policy && s.outdated(*policy)
	s.policy, s.retry = policy, false
	if !again && s.unchanged(now) {
		return
	}
	gen, digest, err := m.load(ctx, name, s, *policy, again)
	s.stamp = now
	if gen == nil && err == nil {
		return
	}
	s.digest = digest
	if err != nil {
		m.refuse(name, s, err)
		return
	}
	m.install(name, s, gen)
}

// outdated says whether a new policy wants the file loaded anew: one that was refused, or whose own policy is another. What
// the policy takes back is taken at once, whether it loads under the new one or not.
func (s *slot) outdated(policy func(name string) module.Policy) bool {
	if s.gen == nil {
		return s.err != nil
	}
	p := policy(s.gen.Manifest().Name)
	s.gen.Restrict(p.Grants)
	return s.err != nil || !reflect.DeepEqual(s.gen.Policy(), p)
}

// refuse notes why a file does not serve. It is logged when it is news: an unreadable file is tried at every look.
func (m *Manager) refuse(name string, s *slot, err error) {
	news := s.err == nil || s.err.Error() != err.Error()
	m.mu.Lock()
	s.err, s.loaded = err, time.Now()
	m.mu.Unlock()
	if news {
		m.opts.Log.Error().Err(err).Str("file", name).Bool("previousServes", s.gen != nil).Msg("cannot load module")
	}
}

// install has gen serve in the place of the slot's generation.
func (m *Manager) install(name string, s *slot, gen *module.Generation) {
	old := s.gen
	m.mu.Lock()
	s.gen, s.err, s.loaded = gen, nil, time.Now()
	m.mu.Unlock()
	s.module.serving.Store(gen)
	m.publish()
	m.opts.Log.Info().Str("file", name).Str("module", gen.Manifest().Name).Str("version", gen.Manifest().Version).
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

// load reads and loads a file; nothing when its content is what was tried before.
func (m *Manager) load(ctx context.Context, name string, s *slot, policy func(string) module.Policy, again bool) (*module.Generation, string, error) {
	wasm, err := read(filepath.Join(m.opts.Dir, name))
	if err != nil {
		return nil, "", err
	}
	digest := module.Digest(wasm)
	if digest == s.digest && !again {
		return nil, digest, nil
	}
	gen, err := m.engine.Load(ctx, wasm, policy)
	if err != nil {
		return nil, digest, err
	}
	if err := m.conflict(name, gen.Manifest()); err != nil {
		m.retire(gen)
		return nil, digest, err
	}
	return gen, digest, nil
}

// conflict says which other file already answers what a module wants to.
func (m *Manager) conflict(name string, about *manifest.Manifest) error {
	var errs []error
	for _, other := range slices.Sorted(maps.Keys(m.slots)) {
		s := m.slots[other]
		if other == name || s.gen == nil || s.gone {
			continue
		}
		for _, route := range about.Routes() {
			if slices.Contains(s.gen.Manifest().Routes(), route) {
				errs = append(errs, fmt.Errorf("module %q: %s is already answered by %s", about.Name, route, other))
			}
		}
	}
	return errors.Join(errs...)
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
