package config

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// reader turns a YAML tree into plain maps that follow the Config type: keys
// in our spelling, unknown ones reported and left out, scalars as their text,
// so that 1e+06 and True mean the same in a file, a variable and a flag.
type reader struct {
	origin
	strict  bool
	report  *Report
	sources map[string]source // by path; shared by all layers

	anchors  map[string]ast.Node
	nodes    int
	depth    int
	overflow bool
}

func (r *reader) fail(t *token.Token, at path, message string) {
	r.report.fail(r.problem(t, at, message))
}

// read returns the value of n as type t, or false if it has none: null, or
// something wrong that is in the report.
func (r *reader) read(n ast.Node, t reflect.Type, at path, secret bool) (any, bool) {
	if !r.enter(n, at) {
		return nil, false
	}
	defer r.leave()
	node := r.resolve(n)
	if node == nil {
		r.fail(n.GetToken(), at, "the alias leads nowhere")
		return nil, false
	}
	if node.Type() == ast.NullType {
		return nil, false
	}
	r.sources[at.String()] = r.at(n.GetToken())
	switch shapeOf(t) {
	case section:
		return r.section(node, t, at)
	case table:
		return r.table(node, t, at)
	case list, objects:
		return r.list(node, t, at)
	case free:
		return r.freeMap(node, at)
	}
	return r.scalar(node, at, secret)
}

func (r *reader) section(n ast.Node, t reflect.Type, at path) (any, bool) {
	entries, ok := r.mapping(n, at)
	if !ok {
		return nil, false
	}
	values := make(map[string]any, len(entries))
	seen := make(map[string]*token.Token, len(entries))
	for _, e := range entries {
		f, known := findField(t, e.key)
		if !known {
			r.unknown(e, t, at)
			continue
		}
		if r.duplicate(seen, f.key, e, at) {
			continue
		}
		if value, ok := r.read(e.value, f.typ, at.with(f.key), f.secret()); ok {
			values[f.key] = value
			r.placeMapping(f.typ, e, at.with(f.key))
		}
	}
	return values, true
}

// placeMapping places a mapping at its key: where its first value stands says
// little to a reader.
func (r *reader) placeMapping(t reflect.Type, e entry, at path) {
	switch shapeOf(t) {
	case section, table, free:
		r.sources[at.String()] = r.at(e.token)
	}
}

// duplicate reports a key that was there before, perhaps in another case. The
// parser finds those in the same case.
func (r *reader) duplicate(seen map[string]*token.Token, key string, e entry, at path) bool {
	if first := seen[key]; first != nil {
		r.fail(e.token, at.with(key), fmt.Sprintf("set twice: as %q and as %q", first.Value, e.key))
		return true
	}
	seen[key] = e.token
	return false
}

func (r *reader) unknown(e entry, t reflect.Type, at path) {
	e.key = e.key[:min(len(e.key), maxKeyLength)] // it goes into logs
	p := r.problem(e.token, at.with(e.key), "unknown key")
	if hint := hints[strings.ToLower(p.Key)]; hint != "" {
		p.Message += ": " + hint
	} else {
		p.Nearest = nearestKey(t, at, e.key)
	}
	if r.strict {
		r.report.fail(p)
		return
	}
	p.Message = strings.Replace(p.Message, "unknown key", "unknown key, ignored", 1)
	r.report.warn(p)
}

// hints are keys that files in the wild have and that nothing ever read here,
// by their path in lower case.
var hints = map[string]string{
	"monitoring.enablegpumonitoring": "it is a key of the installer, the server never read it",
	"redis":                          "since KubeSphere 3.3.2 it is cache, with type: redis and options",
}

// table reads a mapping from names, which keep their case, to sections.
func (r *reader) table(n ast.Node, t reflect.Type, at path) (any, bool) {
	entries, ok := r.mapping(n, at)
	if !ok {
		return nil, false
	}
	values := make(map[string]any, len(entries))
	for _, e := range entries {
		if value, ok := r.read(e.value, t.Elem(), at.with(e.key), false); ok {
			values[e.key] = value
			r.placeMapping(t.Elem(), e, at.with(e.key))
		} else {
			values[e.key] = map[string]any{}
		}
	}
	return values, true
}

// list reads a list of scalars or sections. A single value is a list of one,
// or of several with commas, as upstream reads it.
func (r *reader) list(n ast.Node, t reflect.Type, at path) (any, bool) {
	sequence, ok := n.(*ast.SequenceNode)
	if !ok {
		text, isScalar := scalarText(n)
		if !isScalar || shapeOf(t) == objects {
			r.fail(n.GetToken(), at, "want a list, have "+kindOf(n))
			return nil, false
		}
		return splitList(text), true
	}
	values := make([]any, 0, len(sequence.Values))
	for i, item := range sequence.Values {
		if value, ok := r.read(item, t.Elem(), at.item(i), false); ok {
			values = append(values, value)
		}
	}
	return values, true
}

func splitList(text string) []any {
	values := []any{}
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			values = append(values, word)
		}
	}
	return values
}

// scalar reads one value as text. A secret that `config print` masked counts
// as not set: loading the mask would make it a password that everyone knows.
func (r *reader) scalar(n ast.Node, at path, secret bool) (any, bool) {
	text, ok := scalarText(n)
	if !ok {
		r.fail(n.GetToken(), at, "want a single value, have "+kindOf(n))
		return nil, false
	}
	if secret && text == Mask {
		r.report.warn(r.problem(n.GetToken(), at, "masked by config print, so it is not set"))
		return nil, false
	}
	return text, true
}
