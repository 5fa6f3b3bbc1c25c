package module

import (
	"strings"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

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
	return len(name) <= 256 && len(value) <= 8<<10 && !framing[strings.ToLower(name)] &&
		httpsyntax.IsToken(name) && httpsyntax.IsValue([]byte(value))
}
