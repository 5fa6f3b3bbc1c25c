package listener

import (
	"net"
	"net/netip"
	"sync"
)

// ipKey is what connections are counted by: an IPv4 address, or the /64 network of an IPv6 address, which one client has
// all of. Clients without an address, as of Unix sockets, share the zero key and are not limited by it.
type ipKey netip.Prefix

func keyOf(a net.Addr) ipKey {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return ipKey{}
	}
	ip := tcp.AddrPort().Addr().Unmap()
	bits := 64
	if ip.Is4() {
		bits = 32
	}
	p, err := ip.WithZone("").Prefix(bits)
	if err != nil {
		return ipKey{}
	}
	return ipKey(p)
}

// conns are the open connections, tunnels included.
type conns struct {
	max, maxPerIP int

	mu    sync.Mutex
	open  map[*conn]struct{}
	perIP map[ipKey]int
	empty chan struct{} // closed when the last one has gone after wait was called; else nil
}

func newConns(max, maxPerIP int) *conns {
	return &conns{max: max, maxPerIP: maxPerIP, open: map[*conn]struct{}{}, perIP: map[ipKey]int{}}
}

// add takes c in, or says why not.
func (s *conns) add(c *conn) *refusal {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.open) >= s.max {
		return refuseFull
	}
	if s.maxPerIP > 0 && c.ip != (ipKey{}) && s.perIP[c.ip] >= s.maxPerIP {
		return refuseIP
	}
	s.open[c] = struct{}{}
	s.perIP[c.ip]++
	return nil
}

func (s *conns) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.open[c]; !ok {
		return
	}
	delete(s.open, c)
	if s.perIP[c.ip]--; s.perIP[c.ip] == 0 {
		delete(s.perIP, c.ip)
	}
	if s.empty != nil && len(s.open) == 0 {
		close(s.empty)
		s.empty = nil
	}
}

// each calls f for all open connections.
func (s *conns) each(f func(*conn)) {
	s.mu.Lock()
	all := make([]*conn, 0, len(s.open))
	for c := range s.open {
		all = append(all, c)
	}
	s.mu.Unlock()
	for _, c := range all {
		f(c)
	}
}

// wait returns a channel that is closed when no connection is open.
func (s *conns) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.empty == nil {
		s.empty = make(chan struct{})
	}
	done := s.empty
	if len(s.open) == 0 {
		close(s.empty)
		s.empty = nil
	}
	return done
}

func (s *conns) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.open)
}
