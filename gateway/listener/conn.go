package listener

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

// conn is a connection as fasthttp sees it. It stands between the wire and fasthttp's parser, and follows the framing
// of every message itself: a head is handed on when it is complete and strictly valid, a body up to its end and not a
// byte further. So each wait has the deadline of what it waits for, and no two parties can disagree on where a request
// ends. Read is called by one goroutine at a time.
type conn struct {
	net.Conn // the socket, or TLS above it
	sock     *socket
	srv      *Server
	ip       ipKey

	phase    phase
	left     int64    // bytes of a body with a length still to come
	chunk    *chunks  // framing of a chunked body; else nil
	early    []byte   // received bytes of what comes after the message being read; at most Options.HeaderBytes
	ready    []byte   // end of a chunked body that may be handed on when chunk is nil; at most maxTrailers and some
	fault    *refusal // why the message cannot be read to its end
	fresh    bool     // no request yet
	asked    bool     // a client was asked for a body: it may have sent more than that
	patience patience

	ids
	waiting  atomic.Bool // for the first byte of a request: may be closed any time
	watching atomic.Bool // answers a watch, which ends when a drain begins
	lasting  bool        // answers a long-running request
	failed   bool        // the exchange panicked after it had begun a body
	id       string      // of the exchange being served
	once     sync.Once
}

// tlsConn is a conn over TLS; fasthttp knows it by its methods.
type tlsConn struct {
	*conn
	tls *tls.Conn
}

type phase uint8

const (
	atHead phase = iota
	inBody
	isRaw  // a tunnel: not HTTP any more
	isOver // refused: nothing is read any more
)

// chunksPool keeps chunk framers of ended bodies: few requests have a chunked body.
var chunksPool = sync.Pool{New: func() any { return new(chunks) }}

// Read hands on what belongs to the current message. Where the client sent something that is not served, it answers
// the client itself and returns io.EOF: fasthttp would keep silent in some of these cases.
func (c *conn) Read(p []byte) (int, error) {
	if c.chunk == nil && len(c.ready) > 0 {
		return c.takeReady(p), nil
	}
	switch c.phase {
	case inBody:
		return c.readBody(p)
	case isRaw:
		if n := c.takeEarly(p); n > 0 {
			return n, nil
		}
		return c.Conn.Read(p)
	case isOver:
		return 0, io.EOF
	}
	n, err := c.readHead(p)
	if r, ok := err.(*refusal); ok { // never wrapped; errors.As would allocate
		c.refuse(r)
		return 0, io.EOF
	}
	return n, err
}

// readHead waits for a head and returns it with as much of its body as has come with it. p is fasthttp's empty buffer:
// Options.HeaderBytes long.
func (c *conn) readHead(p []byte) (int, error) {
	n := c.takeEarly(p)
	var begun time.Time
	for {
		n = skipEmptyLines(p[:n])
		if n > 0 {
			end, err := findHead(p[:n])
			if err != nil {
				return 0, err
			}
			if end > 0 {
				return c.begin(p[:n], end)
			}
			if n == len(p) {
				return 0, refuseLong
			}
		}
		m, err := c.readMore(p[n:], &begun, n > 0)
		if n += m; m == 0 && err != nil {
			return 0, err
		}
	}
}

// readMore waits for bytes of a head: for the first one as long as a connection may be idle, for all of it as long as a
// head may take.
func (c *conn) readMore(p []byte, begun *time.Time, some bool) (int, error) {
	o, now := &c.srv.opts, time.Now()
	if some && begun.IsZero() {
		*begun = now
	}
	switch {
	case !begun.IsZero():
		c.sock.waitUntil(now, begun.Add(o.HeaderTimeout), true)
	case c.fresh:
		*begun = now // a new connection has nothing to be idle about
		c.sock.waitUntil(now, now.Add(o.HeaderTimeout), true)
	default:
		c.sock.waitUntil(now, now.Add(o.IdleTimeout), false)
	}
	if !some {
		c.waiting.Store(true)
		defer c.waiting.Store(false)
		if c.srv.draining.Load() { // after waiting was set: either we see it here, or Shutdown sees waiting
			c.sock.waitUntil(now, now.Add(drainGrace), true)
		}
	}
	n, err := c.Conn.Read(p)
	if n == 0 && some && errors.Is(err, os.ErrDeadlineExceeded) {
		return 0, refuseSlow
	}
	if n == 0 && err != nil {
		return 0, io.EOF // idle too long, or gone: nobody waits for an answer
	}
	if begun.IsZero() {
		*begun = now
	}
	return n, nil
}

// skipEmptyLines removes empty lines before a request line (RFC 9112, section 2.2) and returns what length is left.
func skipEmptyLines(p []byte) int {
	skip := 0
	for len(p)-skip >= 2 && p[skip] == '\r' && p[skip+1] == '\n' {
		skip += 2
	}
	return copy(p, p[skip:])
}

// findHead returns the length of the head at the start of p, or 0 when it is not complete. What can be refused before
// that, is: a client that does not speak HTTP would wait for ever to be told.
func findHead(p []byte) (int, error) {
	if !httpsyntax.TokenByte[p[0]] && !(len(p) == 1 && p[0] == '\r') {
		return 0, refuseMethod
	}
	if i := bytes.Index(p, []byte("\r\n\r\n")); i >= 0 {
		return i + 4, nil
	}
	line := p
	for {
		i := bytes.IndexByte(line, '\n')
		if i < 0 {
			return 0, nil
		}
		if i == 0 || line[i-1] != '\r' {
			return 0, refuseBareLF
		}
		if len(line) == len(p) {
			if bad := new(headParser).requestLine(line[:i-1]); bad != nil {
				return 0, bad
			}
		}
		line = line[i+1:]
	}
}

// begin starts the message whose head is p[:end]: it returns how much of p belongs to it and puts the rest aside.
func (c *conn) begin(p []byte, end int) (int, error) {
	h, bad := parseHead(p[:end])
	if bad != nil {
		return 0, bad
	}
	c.fresh, c.left, c.fault = false, h.length, nil
	c.watching.Store(false)
	if h.length != 0 {
		c.phase = inBody
		c.sock.cut.Store(false)
		c.patience.restart(&c.srv.opts)
	}
	if h.length < 0 {
		c.chunk = chunksPool.Get().(*chunks)
		*c.chunk = chunks{}
	}
	if h.length == 0 || h.expects { // a body that leave was asked for is read by somebody else: see expect.go
		c.keepEarly(p[end:])
		return end, nil
	}
	return end + c.take(p[end:]), nil
}

// takeEarly moves bytes that were received before into p.
func (c *conn) takeEarly(p []byte) int {
	if len(c.early) == 0 {
		return 0
	}
	n := copy(p, c.early)
	c.early = c.early[:copy(c.early, c.early[n:])]
	return n
}

// refuse answers the client and ends the connection's use.
func (c *conn) refuse(r *refusal) {
	c.phase, c.fault = isOver, r
	c.srv.refused(c.RemoteAddr(), r)
	_, _ = c.Conn.Write(r.answer(c.ids.next())) // the client may have left: then nobody misses the answer
}
