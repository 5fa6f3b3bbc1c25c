package module

import "strings"

// maxHeaders bounds the headers a guest sets.
const maxHeaders = 64

// framing are headers that the server sets: a guest that could would break the connection's framing.
var framing = map[string]bool{
	"connection": true, "content-length": true, "keep-alive": true, "proxy-connection": true, "te": true, "trailer": true,
	"transfer-encoding": true, "upgrade": true, "x-request-id": true,
}

// private are request headers that no guest sees: the user's credentials.
var private = map[string]bool{
	"authorization": true, "cookie": true, "proxy-authorization": true, "sec-websocket-protocol": true,
}

// validHeader says whether a guest may set this header: a token, a value without control bytes, nothing of the framing.
func validHeader(name, value string) bool {
	if name == "" || len(name) > 256 || len(value) > 8<<10 || framing[strings.ToLower(name)] {
		return false
	}
	for i := range len(name) {
		if !tokenByte(name[i]) {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// tokenByte says whether c may stand in a header's name (RFC 9110, 5.6.2).
func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
