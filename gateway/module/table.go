package module

import (
	"maps"
	"slices"
)

// Table says which generation answers an API group and version. It is immutable: a swap is a new table.
type Table struct {
	routes map[string]*Generation // "group/version", or "group/" for all versions
}

// Find is the generation that answers a group and version, nil if none does. The version may be empty. Allocates nothing.
func (t *Table) Find(group, version string) *Generation {
	if len(group)+len(version) < maxRoute {
		var key [maxRoute]byte
		n := copy(key[:], group)
		key[n] = '/'
		n++
		if g := t.routes[string(key[:n+copy(key[n:], version)])]; g != nil {
			return g
		}
		return t.routes[string(key[:n])]
	}
	return nil
}

// maxRoute is longer than any group and version of a manifest.
const maxRoute = 300

// Routes are the "group/version" keys that are answered, sorted.
func (t *Table) Routes() []string { return slices.Sorted(maps.Keys(t.routes)) }
