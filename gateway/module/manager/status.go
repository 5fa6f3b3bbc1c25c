package manager

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module"
)

// Status is how one module does.
type Status struct {
	Module  string    `json:"module"`         // what operators call it: the file's name without .wasm, or source/name
	File    string    `json:"file"`           // the file's name, or source/name
	Source  string    `json:"source"`         // "folder", or who else wants it
	State   State     `json:"state"`          // see there
	Name    string    `json:"name,omitempty"` // in its manifest
	Version string    `json:"version,omitempty"`
	Serves  []string  `json:"serves,omitempty"`
	Digest  string    `json:"digest,omitempty"` // sha256 of what serves
	Error   string    `json:"error,omitempty"`  // why what is wanted now does not serve; what is above may serve on
	Loaded  time.Time `json:"loaded"`
	// Snapshot says whether instances are copies of the first one: "yes", or "no: " and why not.
	Snapshot string `json:"snapshot,omitempty"`

	Rollout *RolloutStatus `json:"rollout,omitempty"` // while one is under way
	History []Past         `json:"history,omitempty"` // what has served, newest first
	Refused []Refusal      `json:"refused,omitempty"` // what is not tried again

	Latency        module.Quantiles `json:"latency"` // of the generation that serves
	Breaker        string           `json:"breaker,omitempty"`
	CompileSeconds float64          `json:"compileSeconds,omitempty"`

	Requests, Failures, Traps, Instances, Memory int64
	HostCalls, GuestNanoseconds, Dropped         int64
	InFlight                                     int
}

// RolloutStatus is how a rollout does.
type RolloutStatus struct {
	Digest  string    `json:"digest"` // of the new version
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	Weight  int       `json:"weight"` // percent
	Main    ArmStatus `json:"main"`   // the version that served before
	Next    ArmStatus `json:"next"`   // the new one
}

// ArmStatus is what one of a rollout's two versions has answered since it began. Latencies are upper bounds, at most an
// eighth too high, in nanoseconds.
type ArmStatus struct {
	Requests int64         `json:"requests"`
	Errors   int64         `json:"errors"` // answers of 500 and above
	P50      time.Duration `json:"p50"`
	P90      time.Duration `json:"p90"`
	P99      time.Duration `json:"p99"`
}

func (c *counters) status() ArmStatus {
	s := c.sample()
	return ArmStatus{s.requests, s.errors, s.latency.quantile(0.5), s.latency.quantile(0.9), s.latency.quantile(0.99)}
}

// Status is how every module does, by file or source and name.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Status
	for _, key := range slices.Sorted(maps.Keys(m.slots)) {
		all = append(all, m.slots[key].status())
	}
	return all
}

// Of is how the module that operators call name does; false when there is none, or the name is that of several.
func (m *Manager) Of(name string) (Status, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(name)
	if err != nil {
		return Status{}, false
	}
	return s.status(), true
}

// status is made under the manager's lock.
func (s *slot) status() Status {
	kept := s.kept.clone()
	st := Status{
		Module: strings.TrimSuffix(s.item.key, suffix), File: s.item.key, Source: s.item.source, State: s.state(), Loaded: s.loaded,
		History: kept.History, Refused: kept.Refused,
	}
	if s.err != nil {
		st.Error = s.err.Error()
	}
	if s.gen != nil {
		st.describe(s.gen)
	}
	if t := s.trial; t != nil {
		st.Rollout = &RolloutStatus{
			Digest: t.gen.Digest(), Version: t.gen.Manifest().Version, Since: t.since, Weight: t.rollout.Load().Weight,
			Main: t.main.status(), Next: t.next.status(),
		}
	}
	return st
}

// describe adds what a generation tells.
func (st *Status) describe(g *module.Generation) {
	m := g.Manifest()
	st.Name, st.Version, st.Serves, st.Digest = m.Name, m.Version, m.Routes(), g.Digest()
	st.Snapshot = g.Snapshot()
	st.Requests, st.Failures, st.Traps = g.Stats.Requests.Load(), g.Stats.Failures.Load(), g.Stats.Traps.Load()
	st.Instances, st.Memory, st.HostCalls = g.Stats.Instances.Load(), g.Stats.Memory.Load(), g.Stats.HostCalls.Load()
	latency := g.Stats.Load().Latency
	st.Latency, st.Breaker, st.CompileSeconds = latency.Quantiles(), g.BreakerState().State, g.Took().Seconds()
	st.GuestNanoseconds, st.Dropped, st.InFlight = g.Stats.GuestTime.Load(), g.Stats.Dropped.Load(), g.InFlight()
}
