package listener

import (
	"bytes"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

// head is what a request's head says of what follows it.
type head struct {
	length  int64 // bytes of body; chunked: -1; 0 without a body
	expects bool  // Expect: 100-continue
	upgrade bool  // asks for another protocol: what follows may not be HTTP
}

// maxMethod is the longest method accepted; the longest registered one (RFC 9110 and WebDAV) has 17 bytes.
const maxMethod = 32

// headParser reads one head, strictly. fasthttp parses the same bytes again and is more lenient in places: a bare LF
// in the request line, folded lines, Content-Length beside Transfer-Encoding. None of these gets there.
type headParser struct {
	head
	http11                          bool
	hosts, lengths, codings, others int
}

// parseHead reads b, a head with the empty line that ends it. It allocates nothing and changes nothing.
func parseHead(b []byte) (head, *refusal) {
	var p headParser
	line, rest, bad := cutLine(b)
	if bad != nil {
		return head{}, bad
	}
	if bad = p.requestLine(line); bad != nil {
		return head{}, bad
	}
	for {
		if line, rest, bad = cutLine(rest); bad != nil {
			return head{}, bad
		}
		if len(line) == 0 {
			return p.head, p.together()
		}
		if bad = p.field(line); bad != nil {
			return head{}, bad
		}
	}
}

// cutLine takes the first line off b, without its CRLF.
func cutLine(b []byte) (line, rest []byte, bad *refusal) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || b[i-1] != '\r' {
		return nil, nil, refuseBareLF
	}
	return b[:i-1], b[i+1:], nil
}

// requestLine checks `method SP target SP version`.
func (p *headParser) requestLine(line []byte) *refusal {
	method, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || len(method) > maxMethod || !httpsyntax.IsToken(method) {
		return refuseMethod
	}
	target, version, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return refuseLine
	}
	switch {
	case string(version) == "HTTP/1.1":
		p.http11 = true
	case string(version) == "HTTP/1.0":
	case len(version) == 8 && string(version[:5]) == "HTTP/" && version[6] == '.':
		return refuseVersion
	default:
		return refuseLine
	}
	switch string(method) {
	case "CONNECT", "TRACE", "PRI":
		return refuseVerb
	}
	return checkTarget(method, target)
}

// checkTarget accepts the origin form, and the asterisk form of OPTIONS. The absolute form would name a second host.
func checkTarget(method, target []byte) *refusal {
	if string(target) == "*" && string(method) == "OPTIONS" {
		return nil
	}
	if len(target) == 0 || target[0] != '/' {
		return refuseTarget
	}
	if !httpsyntax.IsValue(target) || bytes.IndexByte(target, '\t') >= 0 || bytes.IndexByte(target, '#') >= 0 {
		return refuseTarget // a space ended it already
	}
	return nil
}

// field checks one header line, and notes what decides the message's framing.
func (p *headParser) field(line []byte) *refusal {
	i := 0
	for i < len(line) && httpsyntax.TokenByte[line[i]] {
		i++
	}
	switch {
	case i == 0 && (line[0] == ' ' || line[0] == '\t'):
		return refuseFold
	case i == 0 || i == len(line) || line[i] != ':':
		return refuseName
	}
	value := trim(line[i+1:])
	if !httpsyntax.IsValue(value) {
		return refuseValue
	}
	return p.special(line[:i], value)
}

// special notes the headers that have a say in framing and routing, told apart by their length first.
func (p *headParser) special(name, value []byte) (bad *refusal) {
	switch len(name) {
	case 4:
		if equalFold(name, "host") {
			p.hosts++
			return checkHost(value)
		}
	case 6:
		if equalFold(name, "expect") {
			p.expects = true
			if !equalFold(value, "100-continue") {
				p.others++
			}
		}
	case 7:
		p.upgrade = p.upgrade || equalFold(name, "upgrade")
	case 14:
		if equalFold(name, "content-length") {
			p.lengths++
			p.length, bad = parseLength(value)
		}
	case 17:
		if equalFold(name, "transfer-encoding") {
			p.codings++
			if !equalFold(value, "chunked") {
				return refuseCoding
			}
		}
	}
	return bad
}

// together checks what the headers say taken together.
func (p *headParser) together() *refusal {
	switch {
	case p.hosts > 1 || p.http11 && p.hosts == 0:
		return refuseHost
	case p.lengths > 1:
		return refuseLength
	case p.codings > 0 && (p.codings > 1 || p.lengths > 0 || !p.http11):
		return refuseCoding
	case p.others > 0 && p.http11:
		return refuseExpect
	}
	if p.codings == 1 {
		p.length = -1
	}
	if p.upgrade && p.length != 0 {
		return refuseUpgrade
	}
	p.expects = p.expects && p.http11
	return nil
}

// parseLength reads the digits of a Content-Length, up to 18 of them: what fits an int64 for certain.
func parseLength(value []byte) (n int64, bad *refusal) {
	if len(value) == 0 || len(value) > 18 {
		return 0, refuseLength
	}
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, refuseLength
		}
		n = n*10 + int64(c-'0')
	}
	return n, nil
}

// checkHost accepts the bytes of a host and a port (RFC 3986, section 3.2.2): no user info, no path, not empty.
func checkHost(value []byte) *refusal {
	if len(value) == 0 {
		return refuseHost
	}
	for _, c := range value {
		if !hostBytes[c] {
			return refuseHost
		}
	}
	return nil
}

var hostBytes = byteSet("!$%&'()*+-.:;=[]_~")

// byteSet is the letters, the digits and the bytes of more.
func byteSet(more string) (set [256]bool) {
	for c := range 26 {
		set['a'+c], set['A'+c] = true, true
	}
	for c := '0'; c <= '9'; c++ {
		set[c] = true
	}
	for _, c := range []byte(more) {
		set[c] = true
	}
	return set
}

// equalFold compares b to a lower-case ASCII string.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// trim is b without the spaces and tabs around it.
func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}
