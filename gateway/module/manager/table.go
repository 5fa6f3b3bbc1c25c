package manager

import (
	"maps"
	"slices"
)

// Table says which module answers an API group and version. It is immutable: when routes change there is a new table.
type Table struct {
	routes map[string]*Module // "group/version", or "group/" for all versions
}

// Find is the module that answers a group and version, nil if none does. The version may be empty. Allocates nothing.
func (t *Table) Find(group, version string) *Module {
	if len(group)+len(version) < maxRoute {
		var key [maxRoute]byte
		n := copy(key[:], group)
		key[n] = '/'
		n++
		if m := t.routes[string(key[:n+copy(key[n:], version)])]; m != nil {
			return m
		}
		return t.routes[string(key[:n])]
	}
	return nil
}

// maxRoute is longer than any group and version of a manifest.
const maxRoute = 300

// Routes are the "group/version" keys that are answered, sorted.
func (t *Table) Routes() []string { return slices.Sorted(maps.Keys(t.routes)) }
