package filter

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/lease"
)

// Spec is one entry of postern.filters.
type Spec struct {
	Name, Kind    string
	Before        Position // empty: the kind's own
	Match, Except Rules
	Settings      json.RawMessage
}

// Set is the filters of one configuration. It is in use until Retire has been called and the last exchange that
// acquired it has ended; filters that no set in use has are closed then.
type Set struct {
	uses []*use
	opts *Options
	// shares are the configuration's that has the set, and one for each exchange.
	shares lease.Count
	leave  func(*exchange.Exchange) // made once: no allocation per exchange
}

// Options are what all sets of a gateway share.
type Options struct {
	Kinds   []Kind
	Env     Env // without Name, Before and Event
	Metrics *Metrics
}

// instance is a filter that sets share: it lasts as long as one of them has it.
type instance struct {
	filter Filter
	env    Env

	mu   sync.Mutex
	sets int
}

// New makes the filters of specs. Those that old has with the same name, kind, position and settings are taken over
// with all they hold; nil: there are none before. The error is *SpecError. On an error nothing is left.
func New(specs []Spec, old *Set, opts *Options) (*Set, error) {
	s := &Set{opts: opts}
	s.shares.Begin()
	s.leave = func(*exchange.Exchange) { s.release() }
	for i, spec := range specs {
		u, err := s.make(spec, old)
		if err != nil {
			s.Retire()
			return nil, &SpecError{i, err}
		}
		s.uses = append(s.uses, u)
	}
	return s, nil
}

// SpecError says which spec is wrong; Err is a *SettingError if it is one of its settings or match lists.
type SpecError struct {
	Index int
	Err   error
}

func (e *SpecError) Error() string { return fmt.Sprintf("cannot make filter %d: %v", e.Index, e.Err) }

func (e *SpecError) Unwrap() error { return e.Err }

// make makes one use, its filter new or taken over.
func (s *Set) make(spec Spec, old *Set) (*use, error) {
	kind, u, err := resolve(spec, s.opts.Kinds)
	if err != nil {
		return nil, err
	}
	if before := old.find(u.spec); before != nil {
		u.inst, u.outcomes = before.inst, before.outcomes
		u.inst.take()
		return u, nil
	}
	env := s.opts.environment(u.spec)
	f, err := kind.New(spec.Settings, env)
	if err != nil {
		return nil, below("settings", err)
	}
	u.inst, u.outcomes = &instance{filter: f, env: env, sets: 1}, s.opts.Metrics.outcomes(u.spec)
	return u, nil
}

// environment is what a filter of spec is made with.
func (o *Options) environment(spec Spec) Env {
	env := o.Env
	env.Name, env.Before, env.Event = spec.Name, spec.Before, o.Metrics.event(spec)
	env.Log = env.Log.With().Str("filter", spec.Name).Logger()
	return env
}

// resolve finds spec's kind and position, and compiles what it matches.
func resolve(spec Spec, kinds []Kind) (*Kind, *use, error) {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == spec.Kind })
	if i < 0 {
		return nil, nil, Wrong("kind", "there is no kind %q: want one of %s", spec.Kind, strings.Join(Names(kinds), ", "))
	}
	kind := &kinds[i]
	if spec.Before == "" {
		spec.Before = kind.Positions[0]
	}
	if !slices.Contains(kind.Positions, spec.Before) {
		return nil, nil, Wrong("before", "%s does not work before %s", kind.Name, spec.Before)
	}
	for key, rules := range map[string]*Rules{"match": &spec.Match, "except": &spec.Except} {
		if spec.Before == BeforeAuthentication && rules.NeedUser() {
			return nil, nil, Wrong(key, "before authentication nobody knows who asks: leave out users and groups, or say before: dispatch")
		}
	}
	u := &use{spec: spec, stage: "filter/" + spec.Name}
	var err error
	if u.match, err = compile(spec.Match); err != nil {
		return nil, nil, below("match", err)
	}
	if u.except, err = compile(spec.Except); err != nil {
		return nil, nil, below("except", err)
	}
	return kind, u, nil
}

// Check finds what is wrong with spec without making anything that lasts; nil if nothing is.
func Check(spec Spec, opts *Options) error {
	kind, u, err := resolve(spec, opts.Kinds)
	if err != nil {
		return err
	}
	env := opts.environment(u.spec)
	if kind.Check != nil {
		return below("settings", kind.Check(spec.Settings, env))
	}
	f, err := kind.New(spec.Settings, env)
	if err != nil {
		return below("settings", err)
	}
	return f.Close()
}

// Names are the names of kinds.
func Names(kinds []Kind) []string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.Name
	}
	return names
}

// below puts key in front of a *SettingError's; other errors are about key as a whole.
func below(key string, err error) error {
	var wrong *SettingError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return &SettingError{key, err}
	case wrong.Key == "":
		return &SettingError{key, wrong.Err}
	}
	return &SettingError{key + "." + wrong.Key, wrong.Err}
}

// At are the links of the chain before that stage, in order; none: nothing is configured there.
func (s *Set) At(p Position) (stages []exchange.Stage) {
	for _, u := range s.uses {
		if u.spec.Before == p {
			stages = append(stages, u)
		}
	}
	return stages
}

// Acquire keeps the set's filters for x until x has ended. False: the set has ended, there is a newer one.
func (s *Set) Acquire(x *exchange.Exchange) bool {
	if len(s.uses) == 0 {
		return true
	}
	if !s.shares.Take() {
		return false
	}
	x.OnEnd(s.leave)
	return true
}

func (s *Set) release() {
	if !s.shares.Drop() {
		return
	}
	for _, u := range s.uses {
		u.inst.drop()
	}
}

// Use makes s the set that metrics ask.
func (s *Set) Use() { s.opts.Metrics.use(s) }

// Retire gives up the set: its filters are closed as soon as nobody uses them. Called once.
func (s *Set) Retire() { s.release() }

// find is the use whose filter serves spec as well; nil if there is none.
func (s *Set) find(spec Spec) *use {
	if s == nil {
		return nil
	}
	for _, u := range s.uses {
		if u.spec.Name == spec.Name && u.spec.Kind == spec.Kind && u.spec.Before == spec.Before && bytes.Equal(u.spec.Settings, spec.Settings) {
			return u
		}
	}
	return nil
}

func (s *Set) has(name, kind string) bool {
	return slices.ContainsFunc(s.uses, func(u *use) bool { return u.spec.Name == name && u.spec.Kind == kind })
}

func (i *instance) take() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sets++
}

func (i *instance) drop() {
	i.mu.Lock()
	i.sets--
	last := i.sets == 0
	i.mu.Unlock()
	if !last {
		return
	}
	if err := i.filter.Close(); err != nil {
		i.env.Log.Warn().Err(err).Msg("a filter could not be closed")
	}
}
