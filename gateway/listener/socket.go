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
	writeBy time.Time // write deadline as last set by Write
	readBy  time.Time // read deadline as last set by waitUntil
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
	if now := time.Now(); s.writeBy.Sub(now) < stall/2 {
		s.writeBy = now.Add(stall)
		_ = s.SetWriteDeadline(s.writeBy) // fails on a closed connection only, as will the write
	}
}

// waitUntil has reads fail after t. Moving a deadline by less than an eighth of what is left is not worth its price.
func (s *socket) waitUntil(now, t time.Time, exact bool) {
	if d := t.Sub(s.readBy); !exact && d >= 0 && d < t.Sub(now)/8 {
		return
	}
	s.readBy = t
	_ = s.SetReadDeadline(t) // fails on a closed connection only, as will the read
}

// untimed takes all deadlines off, for a tunnel: what is silent there may be a shell that nobody types into. TCP
// keep-alive still finds out when the other end is dead.
func (s *socket) untimed() {
	s.stall.Store(0)
	_ = s.SetDeadline(time.Time{})
}
