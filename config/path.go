package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// path names a key from the top: its words as kubesphere.yaml spells them.
type path []string

// with returns p and one more word, never sharing memory with a sibling.
func (p path) with(word string) path { return append(slices.Clip(p), word) }

// item returns the path of a list's i-th element, counted from 0.
func (p path) item(i int) path {
	last := fmt.Sprintf("%s[%d]", p[len(p)-1], i)
	return slices.Concat(p[:len(p)-1], path{last})
}

// String joins the words with dots; a dot inside a word is written \.
func (p path) String() string {
	words := make([]string, len(p))
	for i, word := range p {
		words[i] = strings.ReplaceAll(word, ".", `\.`)
	}
	return strings.Join(words, ".")
}

// parsePath is the other way of path.String.
func parsePath(text string) path {
	var p path
	var word strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text) && text[i+1] == '.':
			word.WriteByte('.')
			i++
		case text[i] == '.':
			p = append(p, word.String())
			word.Reset()
		default:
			word.WriteByte(text[i])
		}
	}
	return append(p, word.String())
}

// keysOf lists the keys of a section.
func keysOf(t reflect.Type) []string {
	fields := fieldsOf(t)
	keys := make([]string, len(fields))
	for i, f := range fields {
		keys[i] = f.key
	}
	return keys
}

// leafPaths lists every key that has a value of its own: scalars, lists and
// maps, not sections, and nothing below a map or a list.
var leafPaths = sync.OnceValue(func() []path {
	return appendLeaves(nil, reflect.TypeFor[Config](), nil)
})

func appendLeaves(leaves []path, t reflect.Type, at path) []path {
	for _, f := range fieldsOf(t) {
		if shapeOf(f.typ) == section {
			leaves = appendLeaves(leaves, f.typ, at.with(f.key))
			continue
		}
		leaves = append(leaves, at.with(f.key))
	}
	return leaves
}
