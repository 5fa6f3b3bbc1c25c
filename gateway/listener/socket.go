package listener

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
)

// socket is an accepted connection below TLS: where the client's leaving is noticed and the deadlines live.
type socket struct {
	net.Conn
	peer  exchange.Peer
	token uint64 // of the hang-up watcher; 0: not watched

	// stall is how long one Write may go without a byte leaving, in nanoseconds; 0: for ever. A write deadline is only
	// moved when half of it has passed, so it is between half of stall and all of it.
	stall   atomic.Int64
	writeBy atomic.Int64 // write deadline as last set by Write, in Unix nanoseconds; 0: somebody else set it
	readBy  atomic.Int64 // read deadline as last set by waitUntil, likewise
	cut     atomic.Bool  // somebody has set a read deadline in the past: no more of the body is wanted
}

// Write sends p, however long it takes, as long as the client takes some of it every now and then. It must go on here
// and not above TLS, which cannot go on after a write that timed out.
func (s *socket) Write(p []byte) (n int, err error) {
	for {
		s.moveWriteDeadline()
		var m int
		m, err = s.Conn.Write(p[n:])
		n += m
		if err == nil || m == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}

func (s *socket) moveWriteDeadline() {
	stall := time.Duration(s.stall.Load())
	if stall == 0 {
		return
	}
	if now := time.Now().UnixNano(); s.writeBy.Load()-now < int64(stall/2) {
		s.writeBy.Store(now + int64(stall))
		_ = s.Conn.SetWriteDeadline(time.Unix(0, now+int64(stall))) // fails on a closed connection only, as will the write
	}
}

// waitUntil has reads fail after t. Moving a deadline by less than an eighth of what is left is not worth its price.
func (s *socket) waitUntil(now, t time.Time, exact bool) {
	by := t.UnixNano()
	if d := by - s.readBy.Load(); !exact && d >= 0 && d < int64(t.Sub(now))/8 {
		return
	}
	s.readBy.Store(by)
	_ = s.Conn.SetReadDeadline(t) // fails on a closed connection only, as will the read
}

// SetReadDeadline is for handlers and tunnels. A time in the past ends whoever waits for the body, or is about to.
func (s *socket) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		s.cut.Store(true) // before the deadline is set; awaitBody looks after it has set its own
	}
	s.readBy.Store(0)
	return s.Conn.SetReadDeadline(t)
}

// SetWriteDeadline is for handlers and tunnels. Where stall is set it holds until the next Write.
func (s *socket) SetWriteDeadline(t time.Time) error {
	s.writeBy.Store(0)
	return s.Conn.SetWriteDeadline(t)
}

// SetDeadline is for handlers and tunnels.
func (s *socket) SetDeadline(t time.Time) error {
	s.readBy.Store(0)
	s.writeBy.Store(0)
	return s.Conn.SetDeadline(t)
}

// untimed takes all deadlines off, for a tunnel: what is silent there may be a shell that nobody types into. TCP
// keep-alive still finds out when the other end is dead.
func (s *socket) untimed() {
	s.stall.Store(0)
	_ = s.SetDeadline(time.Time{})
}
