package cache

import (
	"strconv"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
)

// appendKey appends what x's answer may depend on: who asks, unless answers are shared; the request target as received;
// and what formats the client takes, which kube-apiserver decides by without saying so in Vary. Parts have their length in
// front, so that no name can pass for two.
func (f *Filter) appendKey(b []byte, x *exchange.Exchange) []byte {
	if u := x.User; u != nil && !f.opts.shared {
		b = appendPart(b, u.Name, u.UID)
		for _, g := range u.Groups {
			b = appendPart(b, g)
		}
		for _, name := range sortedKeys(u.Extra) {
			b = appendPart(b, name)
			b = appendPart(b, u.Extra[name]...)
		}
	}
	h := &x.HTTP.Request.Header
	b = append(b, '|')
	b = appendPart(b, text(h.RequestURI()), text(h.Peek("Accept")), text(h.Peek("Accept-Encoding")))
	return b
}

func appendPart(b []byte, parts ...string) []byte {
	for _, p := range parts {
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(append(b, ':'), p...)
	}
	return b
}

// appendVary appends the values of the headers that the answers under a key depend on.
func appendVary(b []byte, x *exchange.Exchange, names []string) []byte {
	for _, n := range names {
		b = append(b, '|')
		for _, v := range x.HTTP.Request.Header.PeekAll(n) {
			b = appendPart(b, text(v))
		}
	}
	return b
}

// varyNames are the headers of Vary that the key does not have already; ok is false for *, of which no two requests are
// alike.
func varyNames(lines [][]byte) (names []string, ok bool) {
	for _, line := range lines {
		for name := range strings.SplitSeq(string(line), ",") {
			switch name = strings.ToLower(strings.TrimSpace(name)); name {
			case "*":
				return nil, false
			case "", "accept", "accept-encoding":
			default:
				names = append(names, name)
			}
		}
	}
	return names, len(names) <= maxVary
}

// maxVary bounds the request headers that an answer may depend on.
const maxVary = 8
