package upstream

import (
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// conn is one connection to the target. Unread bytes are buf.b[r:w]. It has one owner at a time: a call, or the pool.
type conn struct {
	net.Conn          // raw, or TLS over it
	raw      net.Conn // the TCP connection: closing it never blocks
	pool     *Pool
	probe    probe
	buf      *buffer // nil while the connection is idle
	r, w     int
	since    time.Time // idle since
	reused   bool      // has carried a request before this one
	timed    bool      // a deadline is set
}

var (
	errHeadSize   = errors.New("the response head is too large")
	errNoProgress = io.ErrNoProgress
)

func newConn(p *Pool, c, raw net.Conn) *conn {
	cn := &conn{Conn: c, raw: raw, pool: p}
	if sc, ok := raw.(syscall.Conn); ok {
		cn.probe.init(sc)
	}
	return cn
}

// usable says whether nothing has arrived on an idle connection: an end of file means that the server closed it, and
// bytes that nobody asked for mean that it cannot be trusted.
func (cn *conn) usable() bool {
	if cn.timed { // an expired deadline would hide what has arrived
		cn.untime()
	}
	return cn.probe.quiet()
}

// rest readies cn for being idle: it holds no buffer then.
func (cn *conn) rest() { cn.dropBuffer() }

func (cn *conn) dropBuffer() {
	if cn.buf != nil {
		cn.buf.free()
		cn.buf = nil
	}
	cn.r, cn.w = 0, 0
}

// untime takes deadlines off.
func (cn *conn) untime() {
	if cn.timed {
		_ = cn.raw.SetDeadline(time.Time{})
		cn.timed = false
	}
}

// limit sets a deadline in d, or none when d is 0.
func (cn *conn) limit(d time.Duration) {
	if d == 0 {
		cn.untime()
		return
	}
	cn.timed = true
	_ = cn.raw.SetDeadline(time.Now().Add(d))
}

// unread is what has been received and not used; valid until the next fill.
func (cn *conn) unread() []byte {
	if cn.buf == nil {
		return nil
	}
	return cn.buf.b[cn.r:cn.w]
}

// fill reads once, after what is unread; the buffer grows when it is full, up to the largest size.
func (cn *conn) fill() error {
	if cn.buf == nil {
		cn.buf = large.get() // most heads come with their whole body
	}
	if cn.r == cn.w {
		cn.r, cn.w = headroom, headroom
	}
	if cn.w == cn.buf.end() {
		if err := cn.makeRoom(); err != nil {
			return err
		}
	}
	for range 100 {
		n, err := cn.Read(cn.buf.b[cn.w:cn.buf.end()])
		cn.w += n
		if n > 0 {
			cn.pool.bytesIn.Add(uint64(n))
			return nil
		}
		if err != nil {
			return err
		}
	}
	return errNoProgress
}

// makeRoom moves unread bytes to the buffer's start or, when they fill it, to a larger buffer.
func (cn *conn) makeRoom() error {
	b := cn.buf
	if cn.r == headroom {
		if b = cn.buf.larger(); b == nil {
			return errHeadSize
		}
	}
	n := copy(b.b[headroom:], cn.buf.b[cn.r:cn.w])
	if b != cn.buf {
		cn.buf.free()
		cn.buf = b
	}
	cn.r, cn.w = headroom, headroom+n
	return nil
}

// adapt changes the size of an empty buffer to what a body needs: large while the server fills a small one at once, and
// small for the trickle of a watch. got is what the last read brought, 0 before the first.
func (cn *conn) adapt(got int, left int64) {
	switch full := small.payload(); {
	case cn.buf.class == &small && got >= full:
		cn.buf.free()
		cn.buf = large.get()
	case cn.buf.class != &small && got < full/4 && left < int64(full):
		cn.buf.free()
		cn.buf = small.get()
	default:
		return
	}
	cn.r, cn.w = headroom, headroom
}
