package config

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// entry is one key of a YAML mapping, aliases and merges resolved.
type entry struct {
	key   string
	token *token.Token // of the key
	value ast.Node
}

// anchorsOf collects what *name stands for.
func anchorsOf(root ast.Node) map[string]ast.Node {
	found := anchors{}
	ast.Walk(found, root)
	return found
}

type anchors map[string]ast.Node

func (a anchors) Visit(n ast.Node) ast.Visitor {
	if anchor, ok := n.(*ast.AnchorNode); ok && anchor.Name != nil {
		a[anchor.Name.GetToken().Value] = anchor.Value
	}
	return a
}

// resolve follows anchors, aliases and tags to the node that holds the value;
// nil if an alias leads nowhere or in a circle.
func (r *reader) resolve(n ast.Node) ast.Node {
	for range maxDepth {
		switch node := n.(type) {
		case *ast.AnchorNode:
			n = node.Value
		case *ast.TagNode:
			n = node.Value
		case *ast.AliasNode:
			if node.Value == nil {
				return nil
			}
			n = r.anchors[node.Value.GetToken().Value]
		default:
			return n
		}
	}
	return nil
}

// mapping returns the entries of a mapping in order. What << brings in comes
// last and gives way to what stands in the mapping itself.
func (r *reader) mapping(n ast.Node, at path) ([]entry, bool) {
	var pairs []*ast.MappingValueNode
	switch node := n.(type) {
	case *ast.MappingNode:
		pairs = node.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{node}
	default:
		r.fail(n.GetToken(), at, "want a mapping, have "+kindOf(n))
		return nil, false
	}
	var own, merged []entry
	for _, pair := range pairs {
		if pair.Key.IsMergeKey() {
			merged = append(merged, r.merged(pair.Value, at)...)
			continue
		}
		key := pair.Key.GetToken()
		if complexKey, ok := pair.Key.(*ast.MappingKeyNode); ok && complexKey.Value != nil {
			key = complexKey.Value.GetToken()
		}
		own = append(own, entry{key.Value, key, pair.Value})
	}
	return withMerged(own, merged), true
}

// merged returns the entries that << brings in: of one mapping, or of several.
func (r *reader) merged(n ast.Node, at path) []entry {
	if !r.enter(n, at) {
		return nil
	}
	defer r.leave()
	n = r.resolve(n)
	if list, ok := n.(*ast.SequenceNode); ok {
		var all []entry
		for _, item := range list.Values {
			all = append(all, r.merged(item, at)...)
		}
		return all
	}
	if n == nil {
		r.report.fail(r.problem(nil, at, "<<: the alias leads nowhere"))
		return nil
	}
	entries, _ := r.mapping(n, at)
	return entries
}

func withMerged(own, merged []entry) []entry {
	have := make(map[string]bool, len(own))
	for _, e := range own {
		have[e.key] = true
	}
	for _, e := range merged {
		if !have[e.key] {
			have[e.key] = true
			own = append(own, e)
		}
	}
	return own
}

// enter bounds what aliases can multiply. It reports a document over a bound
// once; the caller stops there and calls leave only after true.
func (r *reader) enter(n ast.Node, at path) bool {
	if r.nodes++; r.nodes <= maxNodes && r.depth < maxDepth {
		r.depth++
		return true
	}
	if !r.overflow {
		r.overflow = true
		r.fail(n.GetToken(), at, fmt.Sprintf("more than %d values or %d levels, aliases followed", maxNodes, maxDepth))
	}
	return false
}

func (r *reader) leave() { r.depth-- }
