package listener

import (
	"io"
	"net"
	"time"
)

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
