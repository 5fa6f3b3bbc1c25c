package upstream

import (
	"fmt"
	"io"
)

// rest is what is left of a response behind its head.
type rest struct {
	head     []byte // the head, in the connection's buffer: until that is filled again
	chunks   chunks
	trailer  section
	from, to int   // of the connection's buffer: decoded, not yet written
	left     int64 // of a body of known length
	got      int   // bytes of the last read
	last     bool  // the last chunk was there, the trailers follow
	whole    bool  // the body has been read to its end
	keep     bool  // the connection may be used again after it
	through  bool  // the first write goes through the server's writer, which still holds the head
}

// begin decodes what has arrived of the body together with the head. It does not wait.
func (c *call) begin() error {
	c.rest.left = c.head.length
	if len(c.cn.unread()) == 0 {
		c.rest.whole = c.head.length == 0
		return nil
	}
	return c.decode()
}

// decode takes what it can of the unread bytes as data.
func (c *call) decode() error {
	r, b := &c.rest, c.cn.unread()
	switch c.head.length {
	case inChunks:
		from, to, used, last, err := r.chunks.next(b)
		if err != nil {
			return err
		}
		r.from, r.to, r.last = c.cn.r+from, c.cn.r+to, last
		c.cn.r += used
		return nil
	case untilClose:
		r.from, r.to = c.cn.r, c.cn.w
	default:
		n := int(min(r.left, int64(len(b))))
		r.from, r.to = c.cn.r, c.cn.r+n
		r.left -= int64(n)
		r.whole = r.left == 0
	}
	c.cn.r = r.to
	return nil
}

// fetch reads until there are data; io.EOF: the body was complete.
func (c *call) fetch() error {
	r := &c.rest
	for r.from == r.to {
		switch {
		case r.whole:
			return io.EOF
		case r.last:
			if err := c.readTrailer(); err != nil {
				return err
			}
			r.whole = true
			continue
		case len(c.cn.unread()) > 0:
			if err := c.decode(); err != nil {
				return err
			}
			if r.from < r.to || r.last {
				continue
			}
		}
		if err := c.fillBody(); err != nil {
			return err
		}
	}
	return nil
}

func (c *call) fillBody() error {
	if len(c.cn.unread()) == 0 {
		c.cn.adapt(c.rest.got, c.rest.left)
	}
	before := len(c.cn.unread())
	err := c.cn.fill()
	if err == io.EOF && c.head.length == untilClose {
		c.rest.whole = true
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	c.rest.got = len(c.cn.unread()) - before
	return err
}

// readTrailer relays the lines behind the last chunk as trailers of the response.
func (c *call) readTrailer() error {
	for {
		if b := c.cn.unread(); len(b) > 0 {
			done, err := c.rest.trailer.read(b)
			if err != nil {
				return err
			}
			if done {
				c.copyTrailer(b)
				c.cn.r += c.rest.trailer.start
				return nil
			}
		}
		if err := c.cn.fill(); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

func (c *call) copyTrailer(b []byte) {
	h := &c.x.HTTP.Response.Header
	for _, f := range c.rest.trailer.fields {
		// fasthttp refuses names that no trailer may have: framing, credentials, cookies.
		if name := f.name.in(b); h.AddTrailerBytes(name) == nil && !hopOnly.Has(name) {
			h.AddBytesKV(name, f.value.in(b))
		}
	}
}

// Read implements io.Reader for a server that does not know WriteTo.
func (c *call) Read(p []byte) (int, error) {
	if err := c.fetch(); err != nil {
		return 0, c.ended(err)
	}
	n := copy(p, c.cn.buf.b[c.rest.from:c.rest.to])
	c.rest.from += n
	return n, nil
}

// WriteTo writes the body to the client as it comes, past the server's writer: what has arrived at once is one write,
// from where it lies. The server has flushed the head before, unless through is set. n counts the body alone.
func (c *call) WriteTo(w io.Writer) (n int64, err error) {
	client := c.x.HTTP.Conn()
	for {
		if err := c.fetch(); err != nil {
			if err = c.ended(err); err == io.EOF {
				err = nil
			}
			return n, err
		}
		r := &c.rest
		data := c.cn.buf.b[r.from:r.to]
		n += int64(len(data))
		switch {
		case r.through:
			r.through = false
			_, err = w.Write(data)
		case c.head.length >= 0:
			_, err = client.Write(data)
		default:
			_, err = client.Write(frame(c.cn.buf.b, r.from, r.to))
		}
		if err != nil {
			return n, fmt.Errorf("cannot write to the client: %w", err)
		}
		r.from = r.to
	}
}

// ended notes why a body broke off. The error makes the server close the client's connection without the body's end.
func (c *call) ended(err error) error {
	if err == io.EOF {
		return err
	}
	if !c.isCanceled() {
		c.pool.broken.Add(1)
	}
	err = &Error{Kind: c.ioKind(err), Addr: c.pool.opt.Addr, Err: err}
	c.x.Reason = err.Error()
	return err
}

// Close ends the call when the server is done with the response.
func (c *call) Close() error {
	c.end(c.rest.whole && c.rest.from == c.rest.to && c.rest.keep && c.up.over(0))
	return nil
}
