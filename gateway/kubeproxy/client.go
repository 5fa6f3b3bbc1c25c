package kubeproxy

import (
	"bytes"

	"github.com/posternhq/postern/gateway/exchange"
)

// bearerProtocol begins a WebSocket subprotocol that is a bearer token: the user's, which stays here.
var (
	bearerProtocol = []byte("base64url.bearer.authorization.k8s.io.")
	protocolHeader = []byte("Sec-WebSocket-Protocol")
)

// withoutTokens is the Sec-WebSocket-Protocol header, which drop holds back, without the tokens in it.
func withoutTokens(b, name, value []byte) []byte {
	if !bytes.EqualFold(name, protocolHeader) {
		return b
	}
	start, sep := len(b), ": "
	b = append(b, name...)
	for p := range bytes.SplitSeq(value, []byte{','}) {
		if p = bytes.TrimSpace(p); len(p) == 0 || isBearer(p) {
			continue
		}
		b = append(append(b, sep...), p...)
		sep = ", "
	}
	if sep == ": " {
		return b[:start]
	}
	return append(b, '\r', '\n')
}

func isBearer(p []byte) bool {
	return len(p) >= len(bearerProtocol) && bytes.EqualFold(p[:len(bearerProtocol)], bearerProtocol)
}

// appendClient appends X-Forwarded-For with the client's address, which kube-apiserver's audit shows, and our request id.
// What the client said of both has been dropped.
func appendClient(b []byte, x *exchange.Exchange) []byte {
	if ip := x.Client(); ip.IsValid() {
		b = append(b, "X-Forwarded-For: "...)
		b = append(ip.AppendTo(b), '\r', '\n')
	}
	if x.ID != "" {
		b = append(append(append(b, "X-Request-Id: "...), x.ID...), '\r', '\n')
	}
	return b
}
