package manager

import (
	"maps"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/module"
)

// Status is how one file of the folder does.
type Status struct {
	File    string    `json:"file"`
	Name    string    `json:"name,omitempty"`
	Version string    `json:"version,omitempty"`
	Serves  []string  `json:"serves,omitempty"`
	Digest  string    `json:"digest,omitempty"` // sha256 of what serves
	Error   string    `json:"error,omitempty"`  // why the file as it is now does not serve; what is above may serve on
	Loaded  time.Time `json:"loaded"`
	// Snapshot says whether instances are copies of the first one: "yes", or "no: " and why not.
	Snapshot string `json:"snapshot,omitempty"`

	Requests, Failures, Traps, Instances, Memory int64
	HostCalls, GuestNanoseconds, Dropped         int64
	InFlight                                     int
}

// Status is how every file of the folder does, by name.
func (m *Manager) Status() []Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Status
	for _, name := range slices.Sorted(maps.Keys(m.slots)) {
		s := m.slots[name]
		st := Status{File: name, Loaded: s.loaded}
		if s.err != nil {
			st.Error = s.err.Error()
		}
		if s.gen != nil {
			st.describe(s.gen)
		}
		all = append(all, st)
	}
	return all
}

// describe adds what a generation tells.
func (st *Status) describe(g *module.Generation) {
	m := g.Manifest()
	st.Name, st.Version, st.Serves, st.Digest = m.Name, m.Version, m.Routes(), g.Digest()
	st.Snapshot = g.Snapshot()
	st.Requests, st.Failures, st.Traps = g.Stats.Requests.Load(), g.Stats.Failures.Load(), g.Stats.Traps.Load()
	st.Instances, st.Memory, st.HostCalls = g.Stats.Instances.Load(), g.Stats.Memory.Load(), g.Stats.HostCalls.Load()
	st.GuestNanoseconds, st.Dropped, st.InFlight = g.Stats.GuestTime.Load(), g.Stats.Dropped.Load(), g.InFlight()
}
