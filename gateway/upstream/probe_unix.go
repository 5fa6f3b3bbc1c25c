//go:build unix

package upstream

import "syscall"

// probe looks whether anything has arrived on an idle connection, without waiting: one system call of about 0.3 µs,
// against the request that would be lost on a connection that the server has closed.
type probe struct {
	raw  syscall.RawConn
	look func(fd uintptr) bool
	ok   bool
	b    [1]byte
}

func (p *probe) init(c syscall.Conn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	p.raw = raw
	p.look = func(fd uintptr) bool { // made once: a closure a request would be an allocation a request
		_, err := syscall.Read(int(fd), p.b[:])
		p.ok = err == syscall.EAGAIN || err == syscall.EWOULDBLOCK
		return true
	}
}

// quiet is false when there is something to read, be it the end.
func (p *probe) quiet() bool {
	if p.raw == nil {
		return true
	}
	p.ok = false
	return p.raw.Read(p.look) == nil && p.ok
}
