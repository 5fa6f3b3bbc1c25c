package data

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// key is raw in the form in which values are compared: equal values have equal keys, whatever their spelling. Strings
// and numbers stay different. Objects are equal when they have the same members in the same order.
func key(raw []byte) string {
	switch raw[0] {
	case '"':
		text, _ := Text(raw)
		return `"` + string(text)
	case '{', '[':
		var b bytes.Buffer
		if json.Compact(&b, raw) != nil {
			return string(raw)
		}
		return b.String()
	case 't', 'f', 'n':
		return string(raw)
	}
	if bytes.ContainsAny(raw, ".eE") || string(raw) == "-0" {
		if f, ok := parseFloat(raw); ok {
			return strconv.FormatFloat(f+0, 'f', -1, 64)
		}
	}
	return string(raw)
}

// rowKey is the key of x in row; false if there is none.
func (e *env) rowKey(x expr, row []byte) (string, bool) {
	if parts, ok := x.(array); ok && !e.whole(parts, row) {
		return "", false
	}
	raw, ok := e.raw(x, row)
	if !ok {
		return "", false
	}
	return key(raw), true
}

// whole says whether every part of a compound key has a value: one of nulls would match others of nulls.
func (e *env) whole(parts array, row []byte) bool {
	for _, part := range parts {
		if _, ok := e.raw(part, row); !ok {
			return false
		}
	}
	return true
}
