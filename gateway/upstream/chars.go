package upstream

import "encoding/binary"

// Which bytes may be in a token (RFC 9110, 5.6.2) and in a field value (5.5: tab, space, visible, obs-text).
var tokenByte, valueByte [256]bool

func init() {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		tokenByte[c] = true
	}
	for c := range valueByte {
		valueByte[c] = c == '\t' || c >= ' ' && c != 0x7f
	}
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !tokenByte[c] {
			return false
		}
	}
	return len(b) > 0
}

// isValue looks at eight bytes at once: below 0x20 or equal to 0x7f, a byte sets the high bit of its lane.
func isValue(b []byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		del := w ^ 0x7f*ones
		if ((w-0x20*ones)&^w|(del-ones)&^del)&highs != 0 && !isValueSlow(b[:8]) {
			return false
		}
	}
	return isValueSlow(b)
}

func isValueSlow(b []byte) bool {
	for _, c := range b {
		if !valueByte[c] {
			return false
		}
	}
	return true
}

// fold says whether b is lower, which is in lower case, in any case of ASCII letters.
func fold[T string | []byte](b T, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range len(b) {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// foldBytes is fold of two names from outside.
func foldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if x != y && (x|0x20 != y|0x20 || x|0x20 < 'a' || x|0x20 > 'z') {
			return false
		}
	}
	return true
}

// nextItem cuts the first item off a comma-separated list, white space off the item.
func nextItem(list []byte) (item, rest []byte) {
	for i, c := range list {
		if c == ',' {
			return trim(list[:i]), list[i+1:]
		}
	}
	return trim(list), nil
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// listHas says whether a comma-separated list has an item, given in lower case.
func listHas(list []byte, lower string) bool {
	for len(list) > 0 {
		var item []byte
		if item, list = nextItem(list); fold(item, lower) {
			return true
		}
	}
	return false
}

// IsTokenByte says whether c may be in a header name.
func IsTokenByte(c byte) bool { return tokenByte[c] }
