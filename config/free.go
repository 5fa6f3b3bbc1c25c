package config

import (
	"regexp"
	"strconv"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// scalarText returns a scalar as it is written, quotes and escapes undone.
func scalarText(n ast.Node) (string, bool) {
	switch node := n.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.LiteralNode:
		return node.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// freeMap reads a map of anything: strings, bools, int64, float64, nil,
// []any and map[string]any.
func (r *reader) freeMap(n ast.Node, at path) (any, bool) {
	entries, ok := r.mapping(n, at)
	if !ok {
		return nil, false
	}
	values := make(map[string]any, len(entries))
	for _, e := range entries {
		value, ok := r.freeValue(e.value, at.with(e.key))
		if !ok {
			continue
		}
		if value == Mask && soundsSecret(e.key) {
			r.report.warn(r.problem(e.token, at.with(e.key), "masked by config print, so it is not set"))
			continue
		}
		values[e.key] = value
	}
	return values, true
}

func (r *reader) freeValue(n ast.Node, at path) (any, bool) {
	if !r.enter(n, at) {
		return nil, false
	}
	defer r.leave()
	r.sources[at.String()] = r.at(n.GetToken())
	switch node := r.resolve(n).(type) {
	case nil:
		r.fail(n.GetToken(), at, "the alias leads nowhere")
		return nil, false
	case *ast.NullNode:
		return nil, true
	case *ast.SequenceNode:
		return r.freeList(node, at)
	case *ast.MappingNode, *ast.MappingValueNode:
		return r.freeMap(node, at)
	default:
		return typed(node), true
	}
}

func (r *reader) freeList(n *ast.SequenceNode, at path) (any, bool) {
	values := make([]any, 0, len(n.Values))
	for i, item := range n.Values {
		if value, ok := r.freeValue(item, at.item(i)); ok {
			values = append(values, value)
		}
	}
	return values, true
}

// typed gives a scalar in a free map the type that YAML gives it. A number
// that fits neither int64 nor float64 stays text.
func typed(n ast.Node) any {
	text, _ := scalarText(n)
	switch node := n.(type) {
	case *ast.BoolNode:
		return node.Value
	case *ast.IntegerNode:
		switch number := node.Value.(type) {
		case int64:
			return number
		case uint64:
			if i := int64(number); i >= 0 {
				return i
			}
		}
	case *ast.FloatNode:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case *ast.StringNode:
		if f, err := strconv.ParseFloat(text, 64); err == nil && node.Token.Type == token.StringType && exponent.MatchString(text) {
			return f
		}
	}
	return text
}

// exponent matches the floats of YAML 1.2 that the parser takes for text.
var exponent = regexp.MustCompile(`^[-+]?[0-9]+[eE][-+]?[0-9]+$`)
