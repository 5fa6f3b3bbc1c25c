package manager

import (
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/service"
)

// Detail is all that is known of one module.
type Detail struct {
	Status
	Generation *module.Description `json:"generation,omitempty"` // that serves
	Candidate  *module.Description `json:"candidate,omitempty"`  // that a rollout tries
	Grants     service.Grants      `json:"grants"`               // of what serves
	Totals     *module.Counters    `json:"totals,omitempty"`     // of all generations since the gateway started
}

// Detail is all that is known of the module that operators call name; ErrNotFound or ErrConflict when that is none, or several.
func (m *Manager) Detail(name string) (Detail, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(name)
	if err != nil {
		return Detail{}, err
	}
	d := Detail{Status: s.status()}
	if s.gen != nil {
		g := s.gen.Describe()
		d.Generation, d.Grants = &g, s.gen.Grants()
		if t := m.engine.Totals(d.Name); t != nil {
			c := t.Counters()
			d.Totals = &c
		}
	}
	if s.trial != nil {
		c := s.trial.gen.Describe()
		d.Candidate = &c
	}
	return d, nil
}

// Log is what the module that operators call name has logged, its generations that have gone included; errors as of Detail.
func (m *Manager) Log(name string) (*module.LogLines, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.find(name)
	if err != nil {
		return nil, err
	}
	about := s.name()
	if gen := s.newest(); gen != nil {
		about = gen.Manifest().Name
	}
	if t := m.engine.Totals(about); t != nil {
		return &t.Log, nil
	}
	return nil, refuse(ErrNotFound, "module %q has not run yet", name)
}
