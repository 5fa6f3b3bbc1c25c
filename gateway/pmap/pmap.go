// Package pmap is a persistent map from strings: changing one makes another, which shares all but a few hundred bytes with it.
// Readers hold one version without a lock while a writer makes the next.
//
// It is a hash trie of 32 branches a level (Bagwell's HAMT): of 100,000 entries one is found in four steps and changed by
// copying four nodes. It costs some 55 bytes for an entry besides what key and value point to. It grows with what is put
// in; who puts in bounds it.
package pmap

import (
	"hash/maphash"
	"iter"
	"math/bits"
	"slices"
)

// Map is one version. The zero value is empty. It is as immutable as its values, except for who holds the Edit that it was
// made with.
type Map[V any] struct{ root *node[V] }

// Edit is who may change nodes in place: those that were made with the same Edit, and that no reader has seen. A writer makes
// many changes with one Edit, publishes, and goes on with another. A nil Edit copies always.
type Edit struct{ _ byte } // not of size zero: each has an address of its own

// seed makes it impossible to choose names that collide.
var seed = maphash.MakeSeed()

const (
	width    = 5 // bits of the hash that a level uses
	branches = 1<<width - 1
	deepest  = 60 // shift of the last level: what collides there is in a list
)

// node has an entry or a child for each of 32 values of its level's bits.
type node[V any] struct {
	edit     *Edit
	leaves   uint32 // which values have an entry; unused in the last level
	forks    uint32 // which have a child
	entries  []entry[V]
	children []*node[V]
}

type entry[V any] struct {
	key   string
	value V
}

// Get finds key's value.
func (m Map[V]) Get(key string) (value V, ok bool) {
	if m.root == nil {
		return value, false
	}
	hash, n := maphash.String(seed, key), m.root
	for shift := 0; shift < deepest; shift += width {
		bit := uint32(1) << (hash >> shift & branches)
		if n.leaves&bit != 0 {
			if e := &n.entries[below(n.leaves, bit)]; e.key == key {
				return e.value, true
			}
			return value, false
		}
		if n.forks&bit == 0 {
			return value, false
		}
		n = n.children[below(n.forks, bit)]
	}
	if i := n.find(key); i >= 0 {
		return n.entries[i].value, true
	}
	return value, false
}

// All is every entry, in no order.
func (m Map[V]) All() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		if m.root != nil {
			m.root.all(yield)
		}
	}
}

func (n *node[V]) all(yield func(string, V) bool) bool {
	for i := range n.entries {
		if !yield(n.entries[i].key, n.entries[i].value) {
			return false
		}
	}
	for _, child := range n.children {
		if !child.all(yield) {
			return false
		}
	}
	return true
}

// Empty says whether m has no entry.
func (m Map[V]) Empty() bool { return m.root == nil }

// below counts the bits of set that are lower than bit: a value's place in its slice.
func below(set, bit uint32) int { return bits.OnesCount32(set & (bit - 1)) }

// find is key's place in a node of the last level; -1 if it is not there.
func (n *node[V]) find(key string) int {
	return slices.IndexFunc(n.entries, func(e entry[V]) bool { return e.key == key })
}
