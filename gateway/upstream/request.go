package upstream

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

// Request says how an exchange's request is sent on.
type Request struct {
	// Prefix goes before the exchange's request target: a path without a slash at its end, or nothing.
	Prefix string
	// Target takes the request target's place, Method the method's; empty: the exchange's own. Whether a response has a
	// body is read from the exchange's method: HEAD is not to be changed, nor to be changed into.
	Target, Method string
	// Drop are the headers, and trailers, that do not go upstream; nil: only the hop-by-hop ones.
	Drop *Names
	// Rewrite, unless nil, gets every header line that Drop holds back, and may append another in its place.
	Rewrite func(b, name, value []byte) []byte
	// Add are header lines for the upstream, each with CRLF, made by AppendHeader. They are used before Forward
	// returns.
	Add []byte
	// Upgrades are the protocols, in lower case, that a connection may be upgraded to. A request for another is sent
	// on as an ordinary one.
	Upgrades []string
	// LongRunning requests have no deadline for the response head.
	LongRunning bool
}

var (
	errHeaderName  = errors.New("not a header name")
	errHeaderValue = errors.New("not a header value")
	errTarget      = errors.New("the request target is not an absolute path")
	errMethod      = errors.New("the method is not a token, or is CONNECT")
	errShortBody   = errors.New("the request body is incomplete")
	errTooLarge    = errors.New("the request body is larger than postern.limits.bodyBytes allows")
)

// AppendHeader appends a header line. A name or value that could end the line, or would not arrive as it is (control
// bytes, white space around the value), is an error.
func AppendHeader(b []byte, name, value string) ([]byte, error) {
	start := len(b)
	b = append(append(b, name...), ": "...)
	if !httpsyntax.IsToken(b[start : len(b)-2]) {
		return b[:start], fmt.Errorf("cannot send header %q: %w", name, errHeaderName)
	}
	v := len(b)
	b = append(b, value...)
	if !httpsyntax.IsValue(b[v:]) || len(trim(b[v:])) != len(value) {
		return b[:start], fmt.Errorf("cannot send header %q with value %q: %w", name, value, errHeaderValue)
	}
	return append(b, '\r', '\n'), nil
}

// body says how a request's body is sent.
type body uint8

const (
	noBody     body = iota
	inlineBody      // small and received already: sent with the head, in one write
	fixedBody       // streamed, Content-Length
	chunkBody       // streamed, chunked
)

// maxInline is what fasthttp has received of a body of known length before it calls the handler: reading that much
// does not wait.
const maxInline = 8 << 10

// appendHead makes the request's head, and its body if that is small, in c.out.
func (c *call) appendHead() error {
	h := &c.x.HTTP.Request.Header
	method, uri := c.method(), h.RequestURI()
	if c.req.Target != "" {
		uri = []byte(c.req.Target)
	}
	switch {
	case !httpsyntax.IsToken(method), string(method) == "CONNECT":
		return errMethod
	case len(uri) == 0, uri[0] != '/', !isTarget(uri):
		return errTarget
	}
	raw := c.x.HeaderLines()
	c.in.reset()
	if _, err := c.in.read(raw); err != nil {
		return err
	}
	size := c.chooseBody(h.ContentLength())
	if most := c.x.MaxBody; most > 0 && int64(size) > most {
		return errTooLarge
	}
	b := append(append(c.out[:0], method...), ' ')
	b = append(append(append(b, c.req.Prefix...), uri...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, c.pool.opt.Host...), '\r', '\n')
	b = c.appendFields(b, raw)
	b = appendFraming(b, c.body, size, method)
	b = append(append(b, c.req.Add...), '\r', '\n')
	c.out = b
	if c.body == inlineBody {
		return c.inline(size)
	}
	return nil
}

// method is the method that is sent.
func (c *call) method() []byte {
	if c.req.Method != "" {
		return []byte(c.req.Method)
	}
	return c.x.HTTP.Request.Header.Method()
}

// isTarget says whether uri can stand in a request line: no space, no control byte.
func isTarget(uri []byte) bool {
	for _, c := range uri {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// chooseBody says how the body goes on, and its length; length is fasthttp's: -1 chunked, -2 none.
func (c *call) chooseBody(length int) int {
	stream := c.x.HTTP.RequestBodyStream()
	switch {
	case stream == nil: // a server that does not stream has the body already
		c.body = noBody
		if n := len(c.x.HTTP.Request.Body()); n > 0 {
			c.body, length = inlineBody, n
		}
	case length == -1:
		c.body = chunkBody
	case length > maxInline:
		c.body = fixedBody
	case length > 0:
		c.body = inlineBody
	default:
		c.body = noBody
	}
	return length
}

// inline appends the body to the head.
func (c *call) inline(size int) error {
	stream := c.x.HTTP.RequestBodyStream()
	if stream == nil {
		c.out = append(c.out, c.x.HTTP.Request.Body()...)
		return nil
	}
	start := len(c.out)
	c.out = append(c.out, make([]byte, size)...)
	if _, err := io.ReadFull(stream, c.out[start:]); err != nil {
		return errShortBody
	}
	return nil
}

// appendFraming appends the one header that frames the body.
func appendFraming(b []byte, kind body, size int, method []byte) []byte {
	switch {
	case kind == chunkBody:
		return append(b, "Transfer-Encoding: chunked\r\n"...)
	case kind == noBody && (size < 0 || string(method) == "GET" || string(method) == "HEAD"):
		return b
	}
	b = strconv.AppendInt(append(b, "Content-Length: "...), int64(max(size, 0)), 10)
	return append(b, '\r', '\n')
}

// appendFields appends the client's header lines as they came, but for those that are dropped.
func (c *call) appendFields(b, raw []byte) []byte {
	named := false
	var upgrade []byte
	for _, f := range c.in.fields {
		switch name, value := f.name.in(raw), f.value.in(raw); {
		case fold(name, "connection"):
			named = true
			c.upgrade = c.upgrade || listHas(value, "upgrade")
		case fold(name, "upgrade"):
			upgrade = value
		case fold(name, "te") && listHas(value, "trailers"):
			b = append(b, "TE: trailers\r\n"...)
		case fold(name, "trailer") && c.body == chunkBody:
			b = c.appendTrailerNames(b, value)
		}
	}
	for _, f := range c.in.fields {
		name := f.name.in(raw)
		if c.req.Drop.Has(name) {
			if c.req.Rewrite != nil {
				b = c.req.Rewrite(b, name, f.value.in(raw))
			}
			continue
		}
		if named && c.in.connectionNames(raw, name) {
			continue
		}
		b = append(append(append(b, name...), ": "...), f.value.in(raw)...)
		b = append(b, '\r', '\n')
	}
	return c.appendUpgrade(b, upgrade)
}

// appendTrailerNames appends the Trailer header with the names that may go upstream.
func (c *call) appendTrailerNames(b, list []byte) []byte {
	first := true
	for len(list) > 0 {
		var name []byte
		if name, list = nextItem(list); !httpsyntax.IsToken(name) || c.req.Drop.Has(name) {
			continue
		}
		if first {
			b = append(b, "Trailer: "...)
		} else {
			b = append(b, ", "...)
		}
		b = append(b, name...)
		first, c.trailers = false, true
	}
	if !first {
		b = append(b, '\r', '\n')
	}
	return b
}

// appendUpgrade asks for the protocol that the client asked for, if it may have it.
func (c *call) appendUpgrade(b, protocol []byte) []byte {
	asked := c.upgrade && c.body == noBody && c.x.HTTP.Request.Header.IsHTTP11()
	c.upgrade = false
	for _, p := range c.req.Upgrades {
		c.upgrade = c.upgrade || asked && fold(protocol, p)
	}
	if c.upgrade {
		b = append(append(b, "Connection: Upgrade\r\nUpgrade: "...), protocol...)
		b = append(b, '\r', '\n')
	}
	return b
}

// connectionNames says whether a Connection header names the header name.
func (s *section) connectionNames(b, name []byte) bool {
	for _, f := range s.fields {
		if !fold(f.name.in(b), "connection") {
			continue
		}
		for list := f.value.in(b); len(list) > 0; {
			var item []byte
			if item, list = nextItem(list); foldBytes(item, name) {
				return true
			}
		}
	}
	return false
}
