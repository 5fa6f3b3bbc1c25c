package query

import (
	"maps"
	"slices"
	"sync"
)

// Table keeps the rows of one kind of objects as they change, and finds them by what is in them. It is bounded by its
// owner's objects: some 150 bytes each, and 100 for each index. It is safe for concurrent use.
type Table struct {
	mu      sync.Mutex
	rows    map[string]*Row
	all     []*Row            // of rows, in no order; nil after a change
	indexes map[string]*index // by path
}

// maxIndexes bounds the indexes of a table. Paths are chosen by modules, one for each filter that they always apply.
const maxIndexes = 4

// index has the rows by the texts at a path. Slices are never written to once they are in it.
type index struct {
	path path
	rows map[string][]*Row
}

// NewTable makes a table of objects by key. It keeps the objects, not the map.
func NewTable(objects map[string][]byte) *Table {
	t := &Table{rows: make(map[string]*Row, len(objects)), indexes: map[string]*index{}}
	for key, raw := range objects {
		t.rows[key] = NewRow(raw)
	}
	return t
}

// Put adds an object, or replaces it.
func (t *Table) Put(key string, raw []byte) {
	r := NewRow(raw)
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.rows[key]
	for _, x := range t.indexes {
		x.remove(old)
		x.add(r)
	}
	t.rows[key], t.all = r, nil
}

// Remove forgets an object.
func (t *Table) Remove(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range t.indexes {
		x.remove(t.rows[key])
	}
	delete(t.rows, key)
	t.all = nil
}

// All are the rows now, in no order.
func (t *Table) All() []*Row {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = slices.AppendSeq(make([]*Row, 0, len(t.rows)), maps.Values(t.rows))
	}
	return t.all
}

// Find are the rows that have one of texts at a path, each once; false: that is not known. The first question about a path
// makes its index, which costs as much as looking at each row.
func (t *Table) Find(pointer string, texts []string) ([]*Row, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x := t.index(pointer)
	if x == nil {
		return nil, false
	}
	if len(texts) == 1 {
		return x.rows[texts[0]], true
	}
	found := map[*Row]bool{}
	for _, text := range texts {
		for _, r := range x.rows[text] {
			found[r] = true
		}
	}
	return slices.Collect(maps.Keys(found)), true
}

// index is that of a path, nil if there may be none. t.mu is held.
func (t *Table) index(pointer string) *index {
	if x := t.indexes[pointer]; x != nil || len(t.indexes) == maxIndexes {
		return x
	}
	p, err := parsePath(pointer)
	if err != nil {
		return nil
	}
	x := &index{p, map[string][]*Row{}}
	for _, r := range t.rows {
		for text := range x.texts(r) {
			x.rows[text] = append(x.rows[text], r)
		}
	}
	t.indexes[pointer] = x
	return x
}

// texts are those at the path, each once.
func (x *index) texts(r *Row) map[string]bool {
	all := map[string]bool{}
	x.path.any(r.Raw, func(text []byte) bool {
		all[string(text)] = true
		return false
	})
	return all
}

func (x *index) add(r *Row) {
	for text := range x.texts(r) {
		x.rows[text] = append(slices.Clip(x.rows[text]), r)
	}
}

func (x *index) remove(r *Row) {
	if r == nil {
		return
	}
	for text := range x.texts(r) {
		rest := slices.DeleteFunc(slices.Clone(x.rows[text]), func(o *Row) bool { return o == r })
		if x.rows[text] = rest; len(rest) == 0 {
			delete(x.rows, text)
		}
	}
}
