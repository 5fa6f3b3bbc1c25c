package httpwasm

import (
	"net/netip"
	"strings"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/httpsyntax"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/hostabi"
)

// call is one exchange in an instance. Between two exchanges, and while the guest starts, there is none: x is nil.
type call struct {
	g        *generation
	x        *exchange.Exchange
	features uint32 // those of the start and, during an exchange, what was added to them
	after    bool   // the next handler has answered
	touched  bool   // the request, or the answer, is not any more what it was
	reread   bool   // what is asked for has changed: x.Info is out of date
	request  requestBody
	response responseBody
	names    [][]byte // scratch
}

// exchange is the exchange; there is none while the guest starts.
func (c *call) exchange() *exchange.Exchange {
	if c.x == nil {
		trap("there is no request while the guest starts")
	}
	return c.x
}

// before is the exchange while its request can be changed.
func (c *call) before(what string) *exchange.Exchange {
	x := c.exchange()
	if c.after {
		trap("cannot change the request's %s: it has been answered", what)
	}
	c.touched = true
	return x
}

// refusal is an error that is the client's, or the backend's: the guest ends for it, but is not to blame.
type refusal struct {
	reason  status.Reason
	message string
}

func (r *refusal) Error() string { return r.message }

func enableFeatures(c *call, _ guestMemory, a []uint64) uint64 {
	c.features |= uint32(a[0]) & allFeatures
	return uint64(c.available())
}

// available are the features that hold for this exchange. The answer of a long-running one never ends, and so is never
// held back.
func (c *call) available() uint32 {
	if c.x != nil && c.x.Info.LongRunning() {
		return c.features &^ bufferResponse
	}
	return c.features
}

func (c *call) enabled(feature uint32) bool { return c.available()&feature != 0 }

func getConfig(c *call, m guestMemory, a []uint64) uint64 {
	return m.give(c.g.config, a[0], a[1])
}

// The ABI's log levels begin at -1 for debug; 3 is none.
func logEnabled(c *call, _ guestMemory, a []uint64) uint64 {
	level, least := int32(a[0]), max(c.g.log.GetLevel(), zerolog.GlobalLevel())
	if level >= -1 && level < 3 && least <= zerolog.Level(level+1) {
		return 1
	}
	return 0
}

func logLine(c *call, m guestMemory, a []uint64) uint64 {
	text := m.bytes(a[1], a[2])
	if logEnabled(c, m, a) == 1 {
		c.g.program.Log(hostabi.Level(int32(a[0])+1), text)
	}
	return 0
}

func getMethod(c *call, m guestMemory, a []uint64) uint64 {
	return m.give(c.exchange().HTTP.Method(), a[0], a[1])
}

// setMethod leaves HEAD alone: whether the answer has a body is decided by what the client asked.
func setMethod(c *call, m guestMemory, a []uint64) uint64 {
	h := &c.before("method").HTTP.Request.Header
	method := string(m.bytes(a[0], a[1]))
	switch {
	case !httpsyntax.IsToken(method) || method == "CONNECT":
		trap("%q is not a method", method)
	case h.IsHead() != (method == "HEAD"):
		trap("cannot change %s to %s: only one of them is answered with a body", h.Method(), method)
	}
	h.SetMethod(method)
	c.reread = true
	return 0
}

func getURI(c *call, m guestMemory, a []uint64) uint64 {
	return m.give(c.exchange().HTTP.Request.Header.RequestURI(), a[0], a[1])
}

func setURI(c *call, m guestMemory, a []uint64) uint64 {
	x := c.before("URI")
	uri := string(m.bytes(a[0], a[1]))
	if uri == "" {
		uri = "/"
	}
	if uri[0] != '/' || strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '#' }) {
		trap("%q is not a path", uri)
	}
	x.HTTP.Request.SetRequestURI(uri)
	c.reread = true
	return 0
}

func getProtocolVersion(c *call, m guestMemory, a []uint64) uint64 {
	return m.give(c.exchange().HTTP.Request.Header.Protocol(), a[0], a[1])
}

// getSourceAddr is the client's address, or that which a trusted proxy has told; with port 0 if that told none.
func getSourceAddr(c *call, m guestMemory, a []uint64) uint64 {
	text := c.exchange().AppendClient(nil)
	if ip, err := netip.ParseAddr(string(text)); err == nil {
		text = netip.AddrPortFrom(ip, 0).AppendTo(text[:0])
	}
	return m.give(text, a[0], a[1])
}

func getStatusCode(c *call, _ guestMemory, _ []uint64) uint64 {
	return uint64(c.exchange().HTTP.Response.StatusCode())
}

// setStatusCode works after the next handler, too: the head of an answer is written when all filters have seen it.
func setStatusCode(c *call, _ guestMemory, a []uint64) uint64 {
	x, code := c.exchange(), a[0]
	if code < 200 || code > 599 {
		trap("%d is not the status code of an answer", code)
	}
	c.touched = true
	x.HTTP.Response.SetStatusCode(int(code))
	return 0
}
