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

	phase phase
	left  int64    // bytes of a body with a length still to come
	chunk *chunks  // framing of a chunked body; else nil
	early []byte   // received bytes of what comes after the message being read; at most Options.HeaderBytes
	ready []byte   // end of a chunked body that may be handed on when chunk is nil; at most maxTrailers and some
	fault *refusal // why the message cannot be read to its end
	fresh bool     // no request yet
	asked bool     // a client was asked for a body: it may have sent more than that
	patience

	ids
	waiting  atomic.Bool // for the first byte of a request: may be closed any time
	watching atomic.Bool // answers a watch, which ends when a drain begins
	failed   string      // id of the exchange that panicked after it had begun a body
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
	if !tokenBytes[p[0]] && !(len(p) == 1 && p[0] == '\r') {
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

// readBody returns more of the body.
func (c *conn) readBody(p []byte) (int, error) {
	for c.fault == nil && c.phase == inBody {
		in := p[:min(len(p), c.srv.opts.HeaderBytes)]
		if c.chunk == nil {
			in = p[:min(int64(len(p)), c.left)]
		}
		n := c.takeEarly(in)
		if n == 0 {
			n = c.awaitBody(in)
		}
		if n = c.take(in[:n]); n > 0 {
			return n, nil
		}
	}
	if c.fault != nil {
		return 0, c.fault
	}
	return c.takeReady(p), nil
}

// awaitBody waits for bytes of the body; when none come, c.fault says why.
func (c *conn) awaitBody(p []byte) int {
	start := time.Now()
	c.sock.waitUntil(start, start.Add(c.patience.left), true)
	n, err := c.Conn.Read(p)
	c.patience.spend(time.Since(start), n)
	switch {
	case n > 0:
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.fault = refuseSlow
	default:
		c.fault = refuseShort
	}
	return n
}

// take follows p, received bytes, and returns how many of them may be handed on now. What comes after the body is put
// aside, and so is the end of a chunked body, from its last chunk's line feed on, until all of it has come: fasthttp
// takes a body for complete whose trailers cannot be read. Of malformed bytes none is handed on, but c.fault is set.
func (c *conn) take(p []byte) int {
	if c.chunk == nil {
		n := int(min(int64(len(p)), c.left))
		if c.left -= int64(n); c.left == 0 {
			c.phase = atHead
		}
		c.keepEarly(p[n:])
		return n
	}
	n, done, bad := c.chunk.advance(p)
	if bad != nil {
		c.fault = bad
		return 0
	}
	c.keepEarly(p[n:])
	if c.chunk.state < atTrailer {
		return n
	}
	give := n
	if !done || len(c.ready) > 0 {
		held := c.chunk.trailer + 1 - len(c.ready) // bytes of p to keep, should the body not end here
		if done {
			held = n
		}
		give = n - held
		c.ready = append(c.ready, p[give:n]...)
	}
	if done {
		c.phase = atHead
		chunksPool.Put(c.chunk)
		c.chunk = nil
	}
	return give
}

// keepEarly puts p back before what else was received early.
func (c *conn) keepEarly(p []byte) {
	switch {
	case len(p) == 0:
	case len(c.early) == 0:
		c.early = append(c.early, p...)
	default:
		c.early = append(bytes.Clone(p), c.early...)
	}
}

// takeReady moves the end of a body into p.
func (c *conn) takeReady(p []byte) int {
	n := copy(p, c.ready)
	c.ready = c.ready[:copy(c.ready, c.ready[n:])]
	return n
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

// Close closes the connection, once. Where the client may still be sending, it waits a moment for it to stop: unread
// bytes make the kernel reset the connection, and the client would lose the answer.
func (c *conn) Close() (err error) {
	c.once.Do(func() {
		if c.phase == inBody || c.phase == isOver || c.asked || c.phase == atHead && len(c.early) > 0 {
			c.linger()
		}
		if c.chunk != nil {
			chunksPool.Put(c.chunk)
			c.chunk = nil
		}
		c.srv.hangups.forget(c.sock)
		c.sock.stall.Store(0) // TLS sets a deadline of its own for its goodbye
		err = c.Conn.Close()
		c.srv.conns.remove(c)
	})
	return err
}

// Bounds of linger: what nginx calls lingering_time, but shorter.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 256 * 1024
)

func (c *conn) linger() {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok && c.Conn != net.Conn(c.sock) {
		_ = c.sock.SetWriteDeadline(time.Now().Add(lingerTime))
		_ = w.CloseWrite() // TLS: says goodbye
	}
	w, ok := c.sock.Conn.(interface{ CloseWrite() error })
	if !ok || w.CloseWrite() != nil {
		return
	}
	_ = c.sock.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, c.sock.Conn, lingerBytes)
}

// patience is how much longer to wait for a body. Waiting uses it up, bytes earn it back, so that a client may pause
// for a while but not drip. Time in which nobody reads does not count.
type patience struct {
	left, most, perByte time.Duration
}

func (p *patience) restart(o *Options) {
	*p = patience{left: o.BodyTimeout, most: o.BodyTimeout, perByte: time.Second / time.Duration(o.BodyRate)}
}

func (p *patience) spend(waited time.Duration, received int) {
	p.left += time.Duration(received)*p.perByte - waited
	p.left = max(min(p.left, p.most), 0)
}
