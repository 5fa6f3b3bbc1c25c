package upstream

import (
	"fmt"
	"io"
	"time"
)

// upload sends a streamed request body while the response is awaited, in a goroutine of its own: an early response
// must be seen although the client or the server holds the body up.
type upload struct {
	started  bool
	finished bool          // done has been received from
	left     int64         // of a body of known length
	done     chan struct{} // one receive for each start
	cut      bool          // no more may be sent; guarded by the call's mutex
	err      error         // of the client's side; the server's shows in the response. Guarded by the call's mutex
}

func (u *upload) start(c *call) {
	if u.done == nil {
		u.done = make(chan struct{}, 1)
	}
	u.started = true
	u.left = int64(c.x.HTTP.Request.Header.ContentLength())
	go func() {
		defer func() { u.done <- struct{}{} }()
		defer func() {
			if r := recover(); r != nil {
				u.fail(c, fmt.Errorf("panic while reading the request body: %v", r))
			}
		}()
		if c.sendBody() {
			c.awaitHead(c.headLimit())
		}
	}()
}

// sendBody copies the body, in chunks of its own when it is chunked. It is true when the body has been sent whole.
func (c *call) sendBody() bool {
	buf := large.get()
	defer buf.free()
	src, b := c.x.HTTP.RequestBodyStream(), buf.b
	most, sent := c.x.MaxBody, int64(0)
	for {
		n, err := src.Read(b[headroom:buf.end()])
		if sent += int64(n); most > 0 && sent > most {
			c.up.fail(c, errTooLarge)
			return false
		}
		if n > 0 && !c.sendPart(b, n) {
			return false
		}
		switch err {
		case nil:
		case io.EOF:
			return c.sendEnd()
		default:
			c.up.fail(c, fmt.Errorf("cannot read the request body: %w", err))
			return false
		}
	}
}

func (c *call) sendPart(b []byte, n int) bool {
	p := b[headroom : headroom+n]
	if c.body == chunkBody {
		p = frame(b, headroom, headroom+n)
	} else if c.up.left -= int64(n); c.up.left < 0 {
		return false
	}
	return c.writeBody(p)
}

// sendEnd ends a chunked body, with the trailers that were announced and may go upstream.
func (c *call) sendEnd() bool {
	if c.body == fixedBody {
		if c.up.left != 0 {
			c.up.fail(c, errShortBody)
		}
		return c.up.left == 0
	}
	b := append(c.out[:0], "0\r\n"...)
	if c.trailers {
		b = c.appendTrailers(b, c.x.HTTP.Request.Header.TrailerHeader())
	}
	c.out = append(b, '\r', '\n')
	return c.writeBody(c.out)
}

func (c *call) appendTrailers(b, lines []byte) []byte {
	c.in.reset()
	if _, err := c.in.read(lines); err != nil {
		return b
	}
	for _, f := range c.in.fields {
		if name := f.name.in(lines); !c.req.Drop.Has(name) {
			b = append(append(append(b, name...), ": "...), f.value.in(lines)...)
			b = append(b, '\r', '\n')
		}
	}
	return b
}

func (c *call) writeBody(p []byte) bool {
	if c.limitWrite() != nil {
		return false
	}
	n, err := c.cn.Write(p)
	c.pool.bytesOut.Add(uint64(n))
	return err == nil
}

func (c *call) limitWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.canceled || c.up.cut {
		return errNotDone
	}
	c.cn.timed = true
	return c.cn.raw.SetWriteDeadline(time.Now().Add(c.pool.opt.WriteTimeout))
}

// awaitHead starts the response head's time when the body has been sent, unless the head is there already.
func (c *call) awaitHead(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > 0 && c.waiting && !c.canceled {
		c.cn.timed = true
		_ = c.cn.raw.SetReadDeadline(time.Now().Add(d))
	}
}

// fail keeps the client's failure and ends the wait for a response.
func (u *upload) fail(c *call, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u.err == nil {
		u.err = err
	}
	if c.deadline != nil {
		_ = c.cn.raw.SetDeadline(past)
	}
}

// failure is the client's failure, if there is one. The upload's goroutine may still be on its way out: what it has failed by
// ended the wait for the response, and explains that.
func (u *upload) failure(c *call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return u.err
}

// over says whether the upload has ended, waiting for it as long as d.
func (u *upload) over(d time.Duration) bool {
	if !u.started || u.finished {
		return true
	}
	select {
	case <-u.done:
		u.finished = true
		return true
	default:
	}
	if d == 0 {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-u.done:
		u.finished = true
	case <-t.C:
	}
	return u.finished
}

// stop ends an upload that goes on: it cannot read from the client nor write to the server any more. Both connections
// must be closed then.
func (u *upload) stop(c *call) {
	if u.over(0) {
		return
	}
	c.x.HTTP.Response.SetConnectionClose()
	c.mu.Lock()
	u.cut = true
	_ = c.cn.raw.SetWriteDeadline(past)
	c.mu.Unlock()
	for { // again, should the listener just have set a deadline of its own
		_ = c.x.HTTP.Conn().SetReadDeadline(past)
		if u.over(earlyGrace) {
			return
		}
	}
}
