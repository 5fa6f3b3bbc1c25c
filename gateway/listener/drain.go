package listener

import (
	"context"
	"fmt"
	"net"
	"time"
)

// drainGrace is how long an idle connection stays open in a drain: the time a request needs that is on its way already.
const drainGrace = 100 * time.Millisecond

// breakOffTime is how long Shutdown waits for what it has broken off. Whoever does not notice until then is left behind.
const breakOffTime = time.Second

// Shutdown takes no more connections, closes idle ones, ends watches, so that their clients go to another replica at
// once, and has every answer close its connection. Requests and tunnels go on until ctx ends, then they are broken off
// and ctx's error is returned. The server cannot be used again.
func (s *Server) Shutdown(ctx context.Context) error {
	if !s.stop() {
		return nil
	}
	s.conns.each((*conn).drain)
	var err error
	select {
	case <-s.conns.wait():
	case <-ctx.Done():
		err = fmt.Errorf("cannot wait for %d connections to end: %w", s.conns.count(), ctx.Err())
		s.conns.each((*conn).breakOff)
		select {
		case <-s.conns.wait():
		case <-time.After(breakOffTime):
		}
	}
	s.hangups.close()
	if s.certs != nil {
		s.certs.close()
	}
	return err
}

// stop closes the listeners; false: it was done before.
func (s *Server) stop() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	s.draining.Store(true)
	for ln := range s.listeners {
		_ = ln.Close() // the address is free, or was before
	}
	return true
}

// drain ends what need not be waited for.
func (c *conn) drain() {
	if c.waiting.Load() {
		_ = c.sock.Conn.SetReadDeadline(time.Now().Add(drainGrace))
	}
	if c.watching.Load() {
		c.sock.peer.End()
	}
}

// breakOff closes the socket under whoever uses it; they close the rest. Only then are they told: a handler that gives up
// must not find a connection on which its empty answer looks like a good one.
func (c *conn) breakOff() {
	_ = c.sock.Conn.Close()
	c.sock.peer.Hangup()
}

// Listen opens a listening socket whose connections have TCP keep-alive: after 30 s of silence, a probe every 10 s, and
// after 3 of them the client counts as gone.
func Listen(ctx context.Context, network, address string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}
	ln, err := lc.Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q: %w", address, err)
	}
	return ln, nil
}
