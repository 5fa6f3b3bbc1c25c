package data

import (
	"bytes"
	"strings"
)

// pointer is a compiled JSON Pointer (RFC 6901): its tokens, unescaped. As an expression it is the row's value there.
type pointer []string

// parsePointer appends the tokens of s to into. It is false if s is no JSON Pointer.
func parsePointer(into pointer, s string) (pointer, bool) {
	if s == "" {
		return into, true
	}
	if s[0] != '/' {
		return nil, false
	}
	for more := true; more; {
		var token string
		token, s, more = cutToken(s)
		token, ok := unescape(token)
		if !ok {
			return nil, false
		}
		into = append(into, token)
	}
	return into, true
}

// cutToken cuts the first token off s, which begins with a slash; what is left does, too, if there is more.
func cutToken(s string) (token, rest string, more bool) {
	if end := strings.IndexByte(s[1:], '/'); end >= 0 {
		return s[1 : end+1], s[end+1:], true
	}
	return s[1:], "", false
}

// unescape makes ~1 a slash and ~0 a tilde; any other tilde is wrong.
func unescape(token string) (string, bool) {
	if strings.IndexByte(token, '~') < 0 {
		return token, true
	}
	for i := 0; i < len(token); i++ {
		if token[i] == '~' && (i+1 == len(token) || (token[i+1] != '0' && token[i+1] != '1')) {
			return "", false
		}
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~"), true
}

// Get is the value in doc that an RFC 6901 JSON Pointer names, as it stands there, aliasing doc. It reads doc up to the
// end of that value and no further; of members with the same name the first counts. It is false when there is no such
// value, the value is not valid JSON or nests deeper than MaxDepth, or pointer is malformed.
func Get(doc []byte, jsonPointer string) (raw []byte, ok bool) {
	if jsonPointer == "" {
		return whole(doc)
	}
	var room [16]string
	p, ok := parsePointer(room[:0], jsonPointer)
	if !ok {
		return nil, false
	}
	i, _ := p.find(doc)
	if i < 0 {
		return nil, false
	}
	end := check(doc, i, 0)
	if end < 0 {
		return nil, false
	}
	return doc[i:end:end], true
}

// Member is the value of an object's member, aliasing object, which is a value that Get has given. Unlike a pointer, name
// needs no escaping. It is false when object is none, or has no such member.
func Member(object []byte, name string) (raw []byte, ok bool) {
	if len(object) == 0 || object[0] != '{' {
		return nil, false
	}
	i := findMember(object, 0, name)
	if i < 0 {
		return nil, false
	}
	end := past(object, i)
	if end < 0 {
		return nil, false
	}
	return object[i:end:end], true
}

// in is the value at p in a valid document.
func (p pointer) in(doc []byte) ([]byte, bool) {
	i, end := p.find(doc)
	if i < 0 {
		return nil, false
	}
	return doc[i:end:end], true
}

// find is where the value at p begins and ends in doc, by hopping over what is before it; -1 if there is none.
func (p pointer) find(doc []byte) (start, end int) {
	i := space(doc, 0)
	for _, token := range p {
		switch {
		case i >= len(doc):
			return -1, -1
		case doc[i] == '{':
			i = findMember(doc, i, token)
		case doc[i] == '[':
			i = findElement(doc, i, token)
		default:
			return -1, -1
		}
		if i < 0 {
			return -1, -1
		}
	}
	if end = past(doc, i); end < 0 {
		return -1, -1
	}
	return i, end
}

// findMember is where the value of a member begins, in the object that begins at i.
func findMember(doc []byte, i int, name string) int {
	for i = space(doc, i+1); i < len(doc) && doc[i] == '"'; {
		end := pastString(doc, i)
		if end < 0 {
			return -1
		}
		key := doc[i:end]
		if i = space(doc, end); i >= len(doc) || doc[i] != ':' {
			return -1
		}
		i = space(doc, i+1)
		if named(key, name) {
			return i
		}
		if i = next(doc, i, '}'); i < 0 {
			return -1
		}
	}
	return -1
}

// findElement is where an element begins, in the array that begins at i.
func findElement(doc []byte, i int, token string) int {
	index, ok := arrayIndex(token)
	if !ok {
		return -1
	}
	i = space(doc, i+1)
	for ; index > 0 && i >= 0; index-- {
		i = next(doc, i, ']')
	}
	if i < 0 || i >= len(doc) || doc[i] == ']' {
		return -1
	}
	return i
}

// next is where the value behind the one at i begins, or the key, in an array or object that closing ends; -1 if
// that was the last one.
func next(doc []byte, i int, closing byte) int {
	if i = past(doc, i); i < 0 {
		return -1
	}
	if i = space(doc, i); i >= len(doc) || doc[i] == closing || doc[i] != ',' {
		return -1
	}
	return space(doc, i+1)
}

// named says whether key, a JSON string with its quotes, spells name.
func named(key []byte, name string) bool {
	if inner := key[1 : len(key)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner) == name
	}
	text, ok := Text(key)
	return ok && string(text) == name
}

// arrayIndex reads 0, or digits without a leading zero.
func arrayIndex(token string) (int, bool) {
	if token == "" || len(token) > 9 || (token[0] == '0' && len(token) > 1) {
		return 0, false
	}
	n := 0
	for _, c := range []byte(token) {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}
