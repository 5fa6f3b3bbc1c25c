package manager

import (
	"reflect"
	"time"

	"github.com/posternhq/postern/gateway/module"
)

// State is how a module does.
type State string

// The states of a module.
const (
	Serving  State = "serving"  // what is wanted serves
	Degraded State = "degraded" // an older version serves, for what is wanted does not
	Trying   State = "canary"   // a rollout tries what is wanted beside what serves
	Failed   State = "failed"   // nothing serves
	Disabled State = "disabled" // nothing serves, as asked for
)

// slot is one module that some source wants. Only the manager's goroutine changes it, and holds the manager's lock for what
// Status reads: item, gen, trial, err, loaded and kept.
type slot struct {
	module *Module
	item   *item                            // as it was at the last look
	digest string                           // of what was last tried; empty when it could not be read
	policy *func(name string) module.Policy // it was tried under
	retry  bool                             // try again what was refused: something that stood in its way has changed
	direct bool                             // the next version takes over at once, rollout or not
	gone   bool                             // no source wants it any more: others may take over what it serves
	pause  time.Duration                    // before what could not be read, or compiled, is tried again, at after
	after  time.Time
	gen    *module.Generation // serves
	trial  *trial             // runs beside gen
	err    error              // why what was last tried does not serve
	loaded time.Time
	kept   state
	told   *Outcome // the last one that was reported
	toldTo *Wanted
}

// state is how the module does.
func (s *slot) state() State {
	switch {
	case s.item.disabled:
		return Disabled
	case s.gen == nil:
		return Failed
	case s.trial != nil:
		return Trying
	case s.err != nil:
		return Degraded
	}
	return Serving
}

// newest is the generation that was loaded last: a rollout's, else the one that serves.
func (s *slot) newest() *module.Generation {
	if s.trial != nil {
		return s.trial.gen
	}
	return s.gen
}

// outdated says whether a new policy wants the module loaded anew: one that was refused, or whose own policy is another. What
// the policy takes back is taken at once, whether it loads under the new one or not.
func (s *slot) outdated(policy func(name string) module.Policy) bool {
	gen := s.newest()
	if gen == nil {
		return s.err != nil
	}
	p := policy(gen.Manifest().Name)
	gen.Restrict(p.Grants)
	if s.trial != nil {
		s.gen.Restrict(policy(s.gen.Manifest().Name).Grants)
	}
	return s.err != nil || !reflect.DeepEqual(gen.Policy(), p)
}

// look says whether an item wants something done, and whether what was tried before is to be tried again.
func (s *slot) look(it *item, policy *func(name string) module.Policy) (work, again bool) {
	changed := !it.same(s.item)
	renewed := s.policy != policy || it.wanted != nil && s.toldTo != it.wanted
	again = s.retry || renewed && s.outdated(it.policy(*policy))
	unread := s.err != nil && s.digest == "" && !time.Now().Before(s.after)
	return changed || again || unread, again
}

// unread notes that what is wanted could not be read: a file is tried again at each look, others ever more seldom.
func (s *slot) unread(interval time.Duration) {
	s.digest = ""
	if s.item.wanted != nil {
		s.later(interval, s.pause)
	}
}

// later has what is wanted tried again, ever more seldom; pause is the one before.
func (s *slot) later(interval, pause time.Duration) {
	s.digest = ""
	s.pause = min(max(2*pause, interval), maxRetry)
	s.after = time.Now().Add(s.pause)
}

// slot is the item's, made if it is new.
func (m *Manager) slot(it *item) *slot {
	s := m.slots[it.key]
	if s == nil {
		kept, err := m.store.load(it.key)
		if err != nil {
			m.opts.Log.Warn().Err(err).Msg("little is known of what served before, and nothing of what is not to be tried again")
		}
		s = &slot{module: &Module{name: it.key}, item: it, kept: kept}
		s.item = &item{key: it.key, source: it.source} // unlike any look's: it is new
		m.mu.Lock()
		m.slots[it.key] = s
		m.mu.Unlock()
	}
	return s
}

// report tells the source what has become of its module, if it is news.
func (m *Manager) report(s *slot) {
	w := s.item.wanted
	if w == nil || w.Report == nil {
		return
	}
	o := Outcome{State: s.state(), Err: s.err}
	if s.gen != nil {
		about := s.gen.Manifest()
		o.Digest, o.Version, o.Routes = s.gen.Digest(), about.Version, about.Routes()
	}
	if s.trial != nil {
		o.Candidate = s.trial.gen.Digest()
	}
	if s.told != nil && s.toldTo == w && o.same(s.told) {
		return
	}
	s.told, s.toldTo = &o, w
	defer func() { // another package's code: what it does must not end the gateway
		if p := recover(); p != nil {
			m.opts.Log.Error().Interface("panic", p).Str("module", s.item.key).Msg("cannot report what became of a module")
		}
	}()
	w.Report(o)
}
