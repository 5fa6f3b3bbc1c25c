package upstream

import (
	"io"
	"net"
	"sync/atomic"
	"time"
)

// relayTunnel answers 101 and splices the two connections.
func (c *call) relayTunnel() {
	_ = c.untime()
	c.copyHead()
	h := &c.x.HTTP.Response.Header
	h.AddBytesKV([]byte("Connection"), []byte("Upgrade"))
	h.AddBytesKV([]byte("Upgrade"), c.head.upgrade.in(c.rest.head))
	first := append(append([]byte(nil), h.Header()...), c.cn.unread()...)
	c.cn.dropBuffer()
	c.x.CancelOnGone(nil) // a client that closes its sending half still reads: the splice sees to its end
	c.pool.tunnels.Add(1)
	c.x.Tunnel(func(client net.Conn) error {
		defer c.end(false)
		if _, err := client.Write(first); err != nil {
			return err
		}
		return c.splice(client)
	})
}

// splice copies both ways until both have ended. One side's end of sending is passed on, and gives the other Linger to
// finish; an error ends both.
func (c *call) splice(client net.Conn) error {
	s := &splice{linger: c.pool.opt.Linger}
	up := make(chan error, 1)
	go func() {
		n, err := s.pump(c.cn.Conn, client)
		c.pool.bytesOut.Add(uint64(n))
		up <- err
	}()
	n, err := s.pump(client, c.cn.Conn)
	c.pool.bytesIn.Add(uint64(n))
	c.x.Written += n
	if err2 := <-up; err == nil {
		err = err2
	}
	return err
}

type splice struct {
	linger time.Duration
	ending atomic.Bool // one side has ended
	broken atomic.Bool // by an error
}

// pump copies from src to dst until src ends or either fails, and then tells the other direction.
func (s *splice) pump(dst, src net.Conn) (n int64, err error) {
	defer func() { // a panic of a connection must not leave the other direction waiting
		if r := recover(); r != nil {
			err = io.ErrClosedPipe
		}
		s.finish(dst, src, &err)
	}()
	buf := small.get() // two of them are what an idle terminal holds
	defer func() { buf.free() }()
	for {
		m, err := src.Read(buf.b)
		if m > 0 {
			if _, werr := dst.Write(buf.b[:m]); werr != nil {
				return n, werr
			}
			n += int64(m)
		}
		if m == small.size {
			buf.free()
			buf = large.get()
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if s.ending.Load() {
			_ = src.SetReadDeadline(time.Now().Add(s.linger))
		}
	}
}

// finish passes the end of src on to dst. What is still on its way from dst to src has Linger; after an error, none.
// Errors that follow from the other direction's end are not errors of the tunnel.
func (s *splice) finish(dst, src net.Conn, err *error) {
	first := s.ending.CompareAndSwap(false, true)
	if *err != nil {
		if !first {
			*err = nil
		}
		s.broken.Store(true)
		_ = src.SetDeadline(past)
		_ = dst.SetDeadline(past)
		return
	}
	if !closeWrite(dst) {
		_ = dst.SetReadDeadline(past)
		return
	}
	if first && !s.broken.Load() {
		_ = dst.SetReadDeadline(time.Now().Add(s.linger))
	}
}

// closeWrite closes c's sending half, if it has one. fasthttp hands out a wrapper that hides it.
func closeWrite(c net.Conn) bool {
	if w, ok := c.(interface{ UnsafeConn() net.Conn }); ok {
		c = w.UnsafeConn()
	}
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite() == nil
	}
	return false
}
