package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manifest"
)

// scan makes what serves follow the sources and the policy. What has gone goes last, so that a module that has moved to
// another file serves all the time.
func (m *Manager) scan(ctx context.Context) {
	items, err := m.items()
	if err != nil {
		if m.listErr != err.Error() { // said once, not at every look
			m.opts.Log.Error().Err(err).Str("dir", m.opts.Dir).Msg("modules keep serving as they are")
		}
		m.listErr = err.Error()
		return
	}
	m.listErr = ""
	m.markGone(items)
	m.retryLost()
	for _, it := range items {
		if ctx.Err() != nil {
			return
		}
		m.update(ctx, it)
	}
	m.removeGone()
	m.judge()
	m.sweep()
}

// markGone finds the slots that no source wants any more.
func (m *Manager) markGone(items []*item) {
	wanted := map[string]bool{}
	for _, it := range items {
		wanted[it.key] = true
	}
	freed := false
	for key, s := range m.slots {
		s.gone = !wanted[key]
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

// retryLost has what cannot be woken any more loaded anew: the cache has lost it, the source has not.
func (m *Manager) retryLost() {
	for _, s := range m.slots {
		s.retry = s.retry || s.gen != nil && s.gen.Lost() || s.trial != nil && s.trial.gen.Lost()
	}
}

// removeGone retires the modules that no source wants any more, and forgets what was kept of them.
func (m *Manager) removeGone() {
	for key, s := range m.slots {
		if !s.gone {
			continue
		}
		m.mu.Lock()
		delete(m.slots, key)
		m.mu.Unlock()
		m.takeOff(s)
		if err := m.store.forget(key); err != nil {
			m.opts.Log.Warn().Err(err).Msg("the history of a module that has gone is left over")
		}
		m.opts.Log.Info().Str("module", key).Msg("module removed")
	}
}

// takeOff has nothing of a slot serve any more.
func (m *Manager) takeOff(s *slot) {
	old := s.gen
	m.endTrial(s)
	m.mu.Lock()
	s.gen, s.err, s.digest = nil, nil, ""
	m.mu.Unlock()
	if old == nil {
		return
	}
	m.publish()
	s.module.serving.Store(nil)
	m.retire(old)
}

// update loads one module if it or its policy has changed.
func (m *Manager) update(ctx context.Context, it *item) {
	s, policy := m.slot(it), m.policy.Load()
	defer m.report(s)
	work, again := s.look(it, policy)
	s.policy, s.retry = policy, false
	m.mu.Lock()
	s.item = it
	m.mu.Unlock()
	switch {
	case !work:
	case it.disabled:
		if s.gen != nil {
			m.opts.Log.Info().Str("module", it.key).Msg("module disabled")
			m.retryRefused()
			m.Look()
		}
		m.takeOff(s)
	default:
		m.try(ctx, s, again)
	}
}

// try reads what is wanted and has it serve, or says why not.
func (m *Manager) try(ctx context.Context, s *slot, again bool) {
	direct := s.direct
	s.direct = false
	wasm, err := s.item.read(ctx)
	if err != nil {
		s.unread(m.opts.Interval)
		m.refuse(s, err)
		m.fallBack(ctx, s)
		return
	}
	digest, pause := module.Digest(wasm), s.pause
	if digest == s.digest && !again {
		return
	}
	s.digest, s.pause = digest, 0
	switch reason := s.kept.refused(digest); {
	case reason != "":
		m.refuse(s, fmt.Errorf("%.12s is not tried again: %s", digest, reason))
		m.fallBack(ctx, s)
	case !again && s.gen != nil && digest == s.gen.Digest(): // what serves is wanted again
		m.endTrial(s)
		m.mu.Lock()
		s.err = nil
		m.mu.Unlock()
	default:
		gen, err := m.load(ctx, s, wasm)
		if err != nil {
			m.refuse(s, err)
			m.fallBack(ctx, s)
			if module.Again(err) {
				s.later(m.opts.Interval, pause)
			}
			return
		}
		m.bring(ctx, s, gen, wasm, direct)
	}
}

// refuse notes why what is wanted does not serve. It is logged when it is news: an unreadable file is tried at every look.
func (m *Manager) refuse(s *slot, err error) {
	news := s.err == nil || s.err.Error() != err.Error()
	m.mu.Lock()
	s.err, s.loaded = err, time.Now()
	m.mu.Unlock()
	if news {
		m.opts.Log.Error().Err(err).Str("file", s.item.key).Bool("previousServes", s.gen != nil).Msg("cannot load module")
	}
}

// fallBack has an earlier version serve in the place of one that cannot: the newest, if nothing serves; the one that serves,
// if the policy has changed under it.
func (m *Manager) fallBack(ctx context.Context, s *slot) {
	past := s.kept.earlier(s.digest)
	if s.gen != nil {
		policy := s.item.policy(*m.policy.Load())
		if !s.gen.Lost() && (s.gen.Digest() == s.digest || reflect.DeepEqual(s.gen.Policy(), policy(s.gen.Manifest().Name))) {
			return
		}
		past = []Past{{Digest: s.gen.Digest()}}
	}
	if err := m.restoreOne(ctx, s, past); err != nil {
		m.opts.Log.Warn().Err(err).Str("file", s.item.key).Msg("cannot have an earlier version serve")
	}
}

// restoreOne has the first of some versions serve that can: one may have lost its file, or may want what is no longer granted.
// The errors are those of all; nil when there are none.
func (m *Manager) restoreOne(ctx context.Context, s *slot, past []Past) (err error) {
	for _, p := range past {
		e := m.restore(ctx, s, p.Digest)
		if e == nil {
			return nil
		}
		err = errors.Join(err, e)
	}
	return err
}

// restore has a version that has served before serve again. The slot's error stays: what is wanted does not serve.
func (m *Manager) restore(ctx context.Context, s *slot, digest string) error {
	wasm, err := m.store.get(s.item.key, digest)
	if err != nil {
		return err
	}
	gen, err := m.load(ctx, s, wasm)
	if err != nil {
		return err
	}
	why := s.err
	m.install(s, gen, wasm)
	m.mu.Lock()
	s.err = why
	m.mu.Unlock()
	return nil
}

// load makes a generation that may serve in a slot.
func (m *Manager) load(ctx context.Context, s *slot, wasm []byte) (*module.Generation, error) {
	policy := s.item.policy(*m.policy.Load())
	if p := m.prepared; p != nil && p.Digest() == module.Digest(wasm) && reflect.DeepEqual(p.Policy(), policy(p.Manifest().Name)) {
		m.prepared = nil
		return p, nil
	}
	gen := m.takeEarly(wasm, policy)
	if gen == nil {
		var err error
		if gen, err = m.engine.Load(ctx, wasm, policy); err != nil {
			return nil, err
		}
	}
	if err := m.conflict(s, gen.Manifest()); err != nil {
		m.retire(gen)
		return nil, err
	}
	gen.OnBroken(func(why error) { m.tell(broken{gen, why.Error()}) })
	return gen, nil
}

// conflict says which other slot already answers what a module wants to.
func (m *Manager) conflict(s *slot, about *manifest.Manifest) error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(m.slots)) {
		other := m.slots[key]
		if other == s || other.gen == nil || other.gone {
			continue
		}
		for _, route := range about.Routes() {
			if slices.Contains(other.gen.Manifest().Routes(), route) {
				errs = append(errs, fmt.Errorf("module %q: %s is already answered by %s", about.Name, route, key))
			}
		}
	}
	return errors.Join(errs...)
}
