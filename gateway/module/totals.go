package module

import (
	"maps"
	"slices"
	"sync"
)

// maxTotals bounds the modules whose totals are kept; of those beyond it that have no generation any is forgotten.
const maxTotals = 1024

// Totals are what lasts of a module, by name, while its generations come and go: counters that never go back, and its log.
type Totals struct {
	Name string
	Log  LogLines

	mu   sync.Mutex
	gone Counters                 // of generations that have closed
	live map[*Generation]struct{} // not yet closed
}

// Totals are those of the module of that name; nil if none has been loaded.
func (e *Engine) Totals(name string) *Totals {
	e.totalsMu.Lock()
	defer e.totalsMu.Unlock()
	return e.totals[name]
}

// AllTotals are those of every module that has a generation, by name.
func (e *Engine) AllTotals() (all []*Totals) {
	e.totalsMu.Lock()
	defer e.totalsMu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(e.totals)) {
		if t := e.totals[name]; len(t.Generations()) > 0 {
			all = append(all, t)
		}
	}
	return all
}

// join makes g part of its module's totals.
func (e *Engine) join(g *Generation) {
	e.totalsMu.Lock()
	defer e.totalsMu.Unlock()
	name := g.Manifest().Name
	if e.totals == nil {
		e.totals = map[string]*Totals{}
	}
	t := e.totals[name]
	if t == nil {
		e.forgetOne()
		t = &Totals{Name: name, live: map[*Generation]struct{}{}}
		e.totals[name] = t
	}
	t.mu.Lock()
	t.live[g] = struct{}{}
	t.mu.Unlock()
	g.totals = t
}

// forgetOne makes room for one more module. e.totalsMu is held.
func (e *Engine) forgetOne() {
	if len(e.totals) < maxTotals {
		return
	}
	for name, t := range e.totals {
		if len(t.Generations()) == 0 {
			delete(e.totals, name)
			return
		}
	}
}

// leave adds what a generation did to what is gone. It does nothing any more.
func (t *Totals) leave(g *Generation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.live[g]; ok {
		delete(t.live, g)
		c := g.Stats.Load()
		t.gone.add(&c)
	}
}

// Counters are those of all generations together.
func (t *Totals) Counters() Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := t.gone
	for g := range t.live {
		c := g.Stats.Load()
		sum.add(&c)
	}
	return sum
}

// Generations are those that are not closed, the newest first: the one that serves, a canary, retired ones that still have
// requests.
func (t *Totals) Generations() []*Generation {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.SortedFunc(maps.Keys(t.live), func(a, b *Generation) int { return b.began.Compare(a.began) })
}
