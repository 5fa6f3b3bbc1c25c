package kube

import (
	"bytes"
	"encoding/json"
)

// level is an object or array around a token.
type level struct {
	names map[string]bool // of an object so far; nil: an array
	key   bool            // a name comes next
}

// twice is a member that some object of a JSON document has twice. Readers differ in which one counts: kube-apiserver takes the
// last, JSON Pointers the first. So a module would check one value, and another would be stored. What is no JSON has none.
func twice(doc []byte) (name string, found bool) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	stack := make([]level, 1, 16)
	for {
		token, err := d.Token()
		if err != nil {
			return "", false
		}
		top := &stack[len(stack)-1]
		if text, ok := token.(string); ok && top.key {
			if top.names[text] {
				return text, true
			}
			top.names[text], top.key = true, false
			continue
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}, key: true})
			continue
		case json.Delim('['):
			stack = append(stack, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			top = &stack[len(stack)-1]
		}
		top.key = top.names != nil // a value has ended
	}
}
