package data

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// plain marks the bytes that stand for themselves in a string.
var plain = func() (t [256]bool) {
	for c := 0x20; c < len(t); c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// checkString is check for a string.
func checkString(doc []byte, i int) int {
	for i++; i < len(doc); i++ {
		switch c := doc[i]; {
		case plain[c]:
		case c == '"':
			return i + 1
		case c != '\\':
			return -1
		default:
			if i = checkEscape(doc, i+1); i < 0 {
				return -1
			}
		}
	}
	return -1
}

// checkEscape is the index of the last byte of the escape whose letter is at i.
func checkEscape(doc []byte, i int) int {
	if i >= len(doc) {
		return -1
	}
	if doc[i] != 'u' {
		if strings.IndexByte(`"\/bfnrt`, doc[i]) < 0 {
			return -1
		}
		return i
	}
	if i+4 >= len(doc) {
		return -1
	}
	for _, c := range doc[i+1 : i+5] {
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return -1
		}
	}
	return i + 4
}

// checkNumber is check for a number: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func checkNumber(doc []byte, i int) int {
	if i < len(doc) && doc[i] == '-' {
		i++
	}
	first := i
	if i = digits(doc, i); i < 0 || (doc[first] == '0' && i > first+1) {
		return -1
	}
	if i < len(doc) && doc[i] == '.' {
		if i = digits(doc, i+1); i < 0 {
			return -1
		}
	}
	if i < len(doc) && doc[i]|0x20 == 'e' {
		if i++; i < len(doc) && (doc[i] == '+' || doc[i] == '-') {
			i++
		}
		return digits(doc, i)
	}
	return i
}

// digits is the index behind the digits at i; -1 if there are none.
func digits(doc []byte, i int) int {
	first := i
	for i < len(doc) && doc[i] >= '0' && doc[i] <= '9' {
		i++
	}
	if i == first {
		return -1
	}
	return i
}

// Text is a scalar's text: a string's characters, and numbers, true, false and null as they stand. It is false for
// objects and arrays. The result may alias raw.
func Text(raw []byte) ([]byte, bool) {
	if len(raw) == 0 || raw[0] == '{' || raw[0] == '[' {
		return nil, false
	}
	if raw[0] != '"' {
		return raw, true
	}
	if len(raw) < 2 {
		return nil, false
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, true
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

// appendString appends s as a JSON string; what is not UTF-8 becomes U+FFFD.
func appendString(b []byte, s []byte) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for len(s) > 0 {
		c := s[0]
		switch {
		case c == '\n':
			b = append(b, '\\', 'n')
			s = s[1:]
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			s = s[1:]
		case c < utf8.RuneSelf:
			if !plain[c] {
				b = append(b, '\\')
			}
			b = append(b, c)
			s = s[1:]
		default:
			r, n := utf8.DecodeRune(s)
			b = utf8.AppendRune(b, r)
			s = s[n:]
		}
	}
	return append(b, '"')
}
