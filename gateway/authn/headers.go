package authn

import "github.com/valyala/fasthttp"

// maxUntrusted is how many of them one request may carry: each costs a search of all headers.
const maxUntrusted = 64

// credentials is what a request's headers say of who asks.
type credentials struct {
	authorization []byte // value of the last Authorization header; aliases the request
	count         int    // of Authorization headers
	untrusted     int    // headers that must not go on, Authorization included
}

// scan looks at every header once, without regard to case.
func scan(h *fasthttp.RequestHeader) (c credentials) {
	for key, value := range h.All() {
		if !untrusted(key) {
			continue
		}
		c.untrusted++
		if key[0]|0x20 == 'a' {
			c.count++
			c.authorization = value
		}
	}
	return c
}

// untrusted headers are those that say who asks. Upstream believes some of them from anybody; here nobody's are read, and
// none reaches a backend, not even from a proxy that we trust for addresses. Impersonate-* has a stage of its own.
func untrusted(key []byte) bool {
	switch {
	case len(key) < len("X-Remote-"):
		return false
	case key[0]|0x20 == 'a':
		return equalFold(key, "authorization")
	case key[0]|0x20 != 'x':
		return false
	}
	return hasPrefixFold(key, "x-remote-") || hasPrefixFold(key, "x-kubesphere-")
}

// removeUntrusted deletes them: at most n, since one deletion takes all of a name.
func removeUntrusted(h *fasthttp.RequestHeader, n int) {
	for range n {
		key := firstUntrusted(h)
		if key == nil {
			return
		}
		h.DelBytes(key)
	}
}

func firstUntrusted(h *fasthttp.RequestHeader) []byte {
	for key := range h.All() {
		if untrusted(key) {
			return key
		}
	}
	return nil
}

// equalFold compares b with lower-case ASCII. An underscore counts as a dash, since some backends cannot tell them apart.
func equalFold(b []byte, lower string) bool {
	return len(b) == len(lower) && hasPrefixFold(b, lower)
}

func hasPrefixFold(b []byte, lower string) bool {
	if len(b) < len(lower) {
		return false
	}
	for i := range len(lower) {
		c := b[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c == '_':
			c = '-'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
