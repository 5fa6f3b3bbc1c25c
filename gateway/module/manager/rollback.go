package manager

import (
	"context"
	"fmt"
	"time"

	"github.com/posternhq/postern/gateway/module"
)

// maxBroken bounds what waits for the manager's goroutine: reports beyond it are lost, and come again when the breaker opens the next time.
const maxBroken = 64

// broken is a generation that its breaker has given up.
type broken struct {
	gen *module.Generation
	why string
}

// tell has the manager's goroutine know that a breaker has opened: the version before it, if there is one, takes its place; a
// rollout's candidate is taken back. It does not block.
func (m *Manager) tell(b broken) {
	select {
	case m.broken <- b:
	default:
	}
}

// rollBack has the version before a broken one serve, if it is still the one that serves. One that itself serves in the place of
// another stays: it is the requests that break it, and who sends them must not get at older and older versions.
func (m *Manager) rollBack(ctx context.Context, b broken) {
	for _, s := range m.slots {
		switch {
		case s.trial != nil && s.trial.gen == b.gen:
			m.abort(s, b.why, "breaker")
		case s.gen == b.gen:
			past := s.kept.earlier(b.gen.Digest())
			if s.trial == nil && s.err != nil && s.digest != b.gen.Digest() {
				m.opts.Log.Warn().Str("why", b.why).Str("file", s.item.key).Msg("module is broken, and is an earlier version already: it stays")
				return
			}
			if len(past) == 0 {
				m.opts.Log.Warn().Str("why", b.why).Str("file", s.item.key).Msg("module is broken, and there is no earlier version of it")
				return
			}
			tried := s.trial != nil
			if err := m.restoreOne(ctx, s, past); err != nil {
				m.opts.Log.Error().Err(err).Str("file", s.item.key).Msg("module is broken, and no earlier version of it can serve")
				return
			}
			m.giveUp(s, b.gen.Digest(), b.why, "breaker")
			if tried { // what is wanted was on trial beside the broken one: it is tried again beside the earlier one
				s.retry = true
				m.Look()
			}
		default:
			continue
		}
		m.report(s)
		return
	}
}

// giveUp notes that a digest is not tried again, after it was taken back. reason is the metric's.
func (m *Manager) giveUp(s *slot, digest, why, reason string) {
	err := fmt.Errorf("%.12s was taken back, %.12s serves: %s", digest, s.gen.Digest(), why)
	m.mu.Lock()
	s.kept.refuse(digest, why, time.Now())
	s.err, s.loaded = err, time.Now()
	m.rollbacks[reason]++
	m.mu.Unlock()
	m.saved(m.store.save(s.item.key, &s.kept, ""))
	m.opts.Log.Error().Err(err).Str("file", s.item.key).Str("reason", reason).Msg("module rolled back")
}

// Rollbacks counts the versions that were taken back, by reason: breaker, canary, manual.
func (m *Manager) Rollbacks() map[string]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string]int64{}
	for _, reason := range []string{"breaker", "canary", "manual"} {
		all[reason] = m.rollbacks[reason]
	}
	return all
}
