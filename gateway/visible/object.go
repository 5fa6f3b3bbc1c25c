package visible

import (
	"bytes"
	"encoding/json"
)

// workspaceLabel is the label by which the platform marks what belongs to a workspace.
const workspaceLabel = "kubesphere.io/workspace"

// identity is what a decision about an object needs of it. Its bytes alias the object's.
type identity struct{ namespace, name, workspace []byte }

// identify finds an object's identity in JSON that begins with it. ok is false where there is no metadata: a decision is
// not possible then. No more is read than has to be: without labels, nothing behind name and namespace.
func identify(object []byte, labels bool) (id identity, ok bool) {
	each(object, func(key, rest []byte) bool {
		if string(key) != "metadata" {
			return true
		}
		ok = len(rest) > 0 && rest[0] == '{'
		each(rest, func(key, rest []byte) bool {
			switch string(key) {
			case "name":
				id.name = str(rest)
			case "namespace":
				id.namespace = str(rest)
			case "labels":
				id.workspace = str(member(rest, workspaceLabel))
			case "managedFields": // behind the labels, however fields are sorted
				return id.name == nil
			}
			return labels || id.name == nil || id.namespace == nil
		})
		return false
	})
	return id, ok
}

// member is what begins with the value of object's field of that name; nil if it has none.
func member(object []byte, name string) (found []byte) {
	each(object, func(key, rest []byte) bool {
		if string(key) == name {
			found = rest
		}
		return found == nil
	})
	return found
}

// each calls f for the fields of the object at the front of b, until it returns false: with the name, and with what begins
// with the value. What is not an object has no fields.
func each(b []byte, f func(key, rest []byte) bool) {
	b, ok := after(b, '{')
	for ok {
		var key []byte
		if key, b, ok = cut(b); !ok || key[0] != '"' {
			return
		}
		if b, ok = after(b, ':'); !ok || !f(text(key), b) {
			return
		}
		if _, b, ok = cut(b); ok {
			b, ok = after(b, ',')
		}
	}
}

// elements calls f for the elements of the array at the front of b until it returns false.
func elements(b []byte, f func(rest []byte) bool) {
	b, ok := after(b, '[')
	for ok && len(b) > 0 && b[0] != ']' && f(b) {
		if _, b, ok = cut(b); ok {
			b, ok = after(b, ',')
		}
	}
}

// after is what follows c and the white space around it.
func after(b []byte, c byte) ([]byte, bool) {
	b = space(b)
	if len(b) == 0 || b[0] != c {
		return b, false
	}
	return space(b[1:]), true
}

func space(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\t' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// cut takes the value at the front of b.
func cut(b []byte) (value, rest []byte, ok bool) {
	var s scan
	n, _ := s.feed(b)
	return b[:n], b[n:], n > 0
}

// str is the text of the JSON string at the front of b; nil for another value.
func str(b []byte) []byte {
	value, _, _ := cut(b)
	return text(value)
}

// text is the text of a JSON string; nil for another value.
func text(quoted []byte) []byte {
	if len(quoted) < 2 || quoted[0] != '"' || quoted[len(quoted)-1] != '"' {
		return nil
	}
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil
	}
	return []byte(s)
}
