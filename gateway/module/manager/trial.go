package manager

import (
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
)

// trial is a rollout under way: a new version beside the one that serves.
type trial struct {
	gen      *module.Generation
	rollout  atomic.Pointer[Rollout] // of the last look
	since    time.Time
	requests atomic.Uint64 // that Weight divides
	main     counters
	next     counters
}

// serve has one of the two answer and counts how; false when that one was just closed.
func (a *arms) serve(x *exchange.Exchange) bool {
	gen, count := a.main, &a.trial.main
	if a.trial.picks(x) {
		gen, count = a.trial.gen, &a.trial.next
	}
	if !gen.Acquire() {
		return false
	}
	start := time.Now()
	serve(gen, x)
	count.add(x.HTTP.Response.StatusCode(), time.Since(start))
	return true
}

// picks says whether a request goes to the new version. Allocates nothing.
func (t *trial) picks(x *exchange.Exchange) bool {
	r := t.rollout.Load()
	if r.Header != "" && string(x.HTTP.Request.Header.Peek(r.Header)) == r.HeaderValue {
		return true
	}
	weight := uint64(r.Weight)
	if r.Sticky && x.User != nil {
		return hash(x.User.Name)%100 < weight
	}
	// Spread evenly: of every hundred requests exactly weight go there.
	return (t.requests.Add(1)*weight)%100 < weight
}

// hash is FNV-1a, so that the replicas of a gateway pick the same users.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// rollout is how a new version of a slot takes over; nil: at once.
func (m *Manager) rollout(s *slot, gen *module.Generation) *Rollout {
	var r *Rollout
	switch {
	case s.item.wanted != nil && s.item.wanted.Rollout != nil:
		r = s.item.wanted.Rollout
	case m.opts.Rollout != nil:
		r = m.opts.Rollout(gen.Manifest().Name)
	}
	return r
}

// begin has a new version tried beside the one that serves.
func (m *Manager) begin(s *slot, gen *module.Generation, wasm []byte, r Rollout) {
	m.endTrial(s)
	err := r.validate()
	for _, route := range s.gen.Manifest().Routes() {
		if err == nil && !slices.Contains(gen.Manifest().Routes(), route) {
			err = fmt.Errorf("rollout: the new version does not serve %s, which the one before does", route)
		}
	}
	if err != nil {
		m.refuse(s, err)
		m.retire(gen)
		return
	}
	err = m.store.put(s.item.key, gen.Digest(), wasm)
	m.saved(err)
	t := &trial{gen: gen, since: time.Now()}
	t.rollout.Store(&r)
	m.mu.Lock()
	s.trial, s.err, s.loaded = t, nil, t.since
	m.mu.Unlock()
	s.module.serving.Store(&arms{main: s.gen, trial: t})
	m.opts.Log.Info().Str("file", s.item.key).Str("module", gen.Manifest().Name).Str("version", gen.Manifest().Version).
		Str("digest", gen.Digest()[:12]).Int("weight", r.Weight).Msg("module is tried beside the one that serves")
}

// endTrial ends a rollout: what served before serves all.
func (m *Manager) endTrial(s *slot) {
	t := s.trial
	if t == nil {
		return
	}
	m.mu.Lock()
	s.trial = nil
	m.mu.Unlock()
	if s.gen != nil {
		s.module.serving.Store(&arms{main: s.gen})
	}
	m.retire(t.gen)
}

// judge has the rule decide on every rollout.
func (m *Manager) judge() {
	for _, s := range m.slots {
		if s.trial == nil {
			continue
		}
		m.renew(s)
		switch v, why := s.trial.rollout.Load().judge(s.trial.main.sample(), s.trial.next.sample(), time.Since(s.trial.since)); v {
		case promote:
			m.promote(s, why)
		case takeBack:
			m.abort(s, why, "canary")
		case wait:
			continue
		}
		m.report(s)
	}
}

// renew has a rollout under way follow what is configured now. It goes on by the last word when there is none any more, or one
// that makes no sense: what serves is not to be replaced at once because of that.
func (m *Manager) renew(s *slot) {
	r, t := m.rollout(s, s.trial.gen), s.trial
	if r == nil || *r == *t.rollout.Load() || r.validate() != nil {
		return
	}
	t.rollout.Store(r)
	m.opts.Log.Info().Str("file", s.item.key).Str("digest", t.gen.Digest()[:12]).Int("weight", r.Weight).Msg("rollout changed")
}

// promote has the new version serve all.
func (m *Manager) promote(s *slot, why string) {
	t := s.trial
	m.opts.Log.Info().Str("file", s.item.key).Str("digest", t.gen.Digest()[:12]).Str("why", why).Msg("module promoted")
	m.mu.Lock()
	s.trial = nil // its generation stays
	m.mu.Unlock()
	m.keep(s, t.gen, nil)
	m.replace(s, t.gen)
}

// abort takes a new version back: it is not tried again until somebody asks for it.
func (m *Manager) abort(s *slot, why, reason string) {
	digest := s.trial.gen.Digest()
	m.endTrial(s)
	m.giveUp(s, digest, why, reason)
}
