package pmap

import "hash/maphash"

// Set is m with key's value set. The key must not be changed any more.
func (m Map[V]) Set(e *Edit, key string, value V) Map[V] {
	if m.root == nil {
		m.root = &node[V]{edit: e}
	}
	return Map[V]{m.root.set(e, maphash.String(seed, key), 0, entry[V]{key, value})}
}

// Delete is m without key.
func (m Map[V]) Delete(e *Edit, key string) Map[V] {
	if m.root == nil {
		return m
	}
	if _, ok := m.Get(key); !ok {
		return m
	}
	root := m.root.delete(e, maphash.String(seed, key), 0, key)
	if len(root.entries)+len(root.children) == 0 {
		root = nil
	}
	return Map[V]{root}
}

// own is n, or a copy of it, that e may change.
func (n *node[V]) own(e *Edit) *node[V] {
	if e != nil && n.edit == e {
		return n
	}
	return &node[V]{edit: e, leaves: n.leaves, forks: n.forks, entries: clone(n.entries), children: clone(n.children)}
}

func (n *node[V]) set(e *Edit, hash uint64, shift int, new entry[V]) *node[V] {
	n = n.own(e)
	if shift >= deepest {
		if i := n.find(new.key); i >= 0 {
			n.entries[i] = new
		} else {
			n.entries = inserted(n.entries, len(n.entries), new)
		}
		return n
	}
	bit := uint32(1) << (hash >> shift & branches)
	switch {
	case n.forks&bit != 0:
		i := below(n.forks, bit)
		n.children[i] = n.children[i].set(e, hash, shift+width, new)
	case n.leaves&bit == 0:
		n.entries = inserted(n.entries, below(n.leaves, bit), new)
		n.leaves |= bit
	default:
		i := below(n.leaves, bit)
		old := n.entries[i]
		if old.key == new.key {
			n.entries[i] = new
			break
		}
		n.entries = removed(n.entries, i)
		n.leaves &^= bit
		n.children = inserted(n.children, below(n.forks, bit), fork(e, old, hash, shift+width, new))
		n.forks |= bit
	}
	return n
}

// fork is a new node with two entries.
func fork[V any](e *Edit, old entry[V], hash uint64, shift int, new entry[V]) *node[V] {
	n := &node[V]{edit: e}
	if shift >= deepest {
		n.entries = []entry[V]{old, new}
		return n
	}
	other := maphash.String(seed, old.key)
	a, b := uint32(1)<<(other>>shift&branches), uint32(1)<<(hash>>shift&branches)
	switch {
	case a == b:
		n.forks, n.children = a, []*node[V]{fork(e, old, hash, shift+width, new)}
	case a < b:
		n.leaves, n.entries = a|b, []entry[V]{old, new}
	default:
		n.leaves, n.entries = a|b, []entry[V]{new, old}
	}
	return n
}

// delete takes out key, which is there. A child that is left with one entry and no child becomes that entry again, so that a
// map is the same whatever it has held before.
func (n *node[V]) delete(e *Edit, hash uint64, shift int, key string) *node[V] {
	n = n.own(e)
	if shift >= deepest {
		n.entries = removed(n.entries, n.find(key))
		return n
	}
	bit := uint32(1) << (hash >> shift & branches)
	if n.forks&bit == 0 {
		n.entries = removed(n.entries, below(n.leaves, bit))
		n.leaves &^= bit
		return n
	}
	i := below(n.forks, bit)
	child := n.children[i].delete(e, hash, shift+width, key)
	if len(child.children) > 0 || len(child.entries) > 1 {
		n.children[i] = child
		return n
	}
	n.children = removed(n.children, i)
	n.forks &^= bit
	if len(child.entries) == 1 {
		n.entries = inserted(n.entries, below(n.leaves, bit), child.entries[0])
		n.leaves |= bit
	}
	return n
}

// Slices are as long as what they hold: a trie is mostly small slices, and is read far more often than written.

func clone[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return append(make([]T, 0, len(list)), list...)
}

func inserted[T any](list []T, i int, v T) []T {
	next := make([]T, len(list)+1)
	copy(next, list[:i])
	next[i] = v
	copy(next[i+1:], list[i:])
	return next
}

func removed[T any](list []T, i int) []T {
	if len(list) == 1 {
		return nil
	}
	next := make([]T, len(list)-1)
	copy(next, list[:i])
	copy(next[i:], list[i+1:])
	return next
}
