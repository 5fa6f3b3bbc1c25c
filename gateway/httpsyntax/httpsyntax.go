// Package httpsyntax says which bytes may stand where in an HTTP/1.1 head. What comes in, what comes from upstream and what
// a module sets are judged by the same rules: were they different, somebody could smuggle between them.
package httpsyntax

import "encoding/binary"

// TokenByte has the bytes of a token (RFC 9110, 5.6.2): methods and header names.
var TokenByte = tokenBytes()

func tokenBytes() (set [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		set[c] = true
	}
	return set
}

// IsToken says whether b is a token. An empty one is none.
func IsToken[T string | []byte](b T) bool {
	for i := range len(b) {
		if !TokenByte[b[i]] {
			return false
		}
	}
	return len(b) > 0
}

// IsValue says whether b may be a field value (RFC 9110, 5.5): no control byte but tabs. It looks at eight bytes at a time,
// and at each one only where the eight hold something below a space, or a DEL.
func IsValue(b []byte) bool {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; len(b) >= 8; b = b[8:] {
		w := binary.LittleEndian.Uint64(b)
		del := w ^ 0x7f*ones
		if ((w-0x20*ones)&^w|(del-ones)&^del)&tops != 0 && !isValue(b[:8]) {
			return false
		}
	}
	return isValue(b)
}

// isValue is IsValue, a byte at a time.
func isValue(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
