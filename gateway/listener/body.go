package listener

import (
	"bytes"
	"errors"
	"os"
	"time"
)

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
	if c.sock.cut.Load() {
		c.fault = notWanted
		return 0
	}
	n, err := c.Conn.Read(p)
	c.patience.spend(time.Since(start), n)
	switch {
	case n > 0:
	case c.sock.cut.Load():
		c.fault = notWanted
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
