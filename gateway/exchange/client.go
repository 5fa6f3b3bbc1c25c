package exchange

import (
	"net"
	"net/netip"
	"strings"
)

// SetClient finds out where the request came from, for logs and backends; it is never a reason to allow anything. That is
// the peer, or, when the peer is one of the trusted proxies, whom its X-Forwarded-For names: read from its end, the first
// address that is not a trusted proxy's itself. What stands before that was written by anybody, and is not read; so is
// everything in the header of a peer that is not trusted.
func (x *Exchange) SetClient(trusted []netip.Prefix) {
	x.client = addressOf(x.HTTP.RemoteAddr())
	if !within(trusted, x.client.Addr()) {
		return
	}
	lines := x.HTTP.Request.Header.PeekAll("X-Forwarded-For")
	for i := len(lines) - 1; i >= 0; i-- {
		for list := string(lines[i]); list != ""; {
			var item string
			if comma := strings.LastIndexByte(list, ','); comma >= 0 {
				list, item = list[:comma], list[comma+1:]
			} else {
				list, item = "", list
			}
			a, ok := parseClient(strings.TrimSpace(item))
			if !ok {
				return // nothing in front of it can be believed
			}
			if x.client = a; !within(trusted, a.Addr()) {
				return
			}
		}
	}
}

// AppendClient appends where the request came from: ip:port of the peer, or the ip that a trusted proxy told, with its
// port if that was told.
func (x *Exchange) AppendClient(b []byte) []byte {
	a := x.client
	if !a.IsValid() {
		if a = addressOf(x.HTTP.RemoteAddr()); !a.IsValid() {
			return b
		}
	}
	if a.Port() == 0 {
		return a.Addr().AppendTo(b)
	}
	return a.AppendTo(b)
}

// Client is the address that AppendClient writes; not valid when it is not known, as on a Unix socket.
func (x *Exchange) Client() netip.Addr {
	if !x.client.IsValid() {
		return addressOf(x.HTTP.RemoteAddr()).Addr()
	}
	return x.client.Addr()
}

// addressOf is a TCP address; not valid for others. net's own String allocates three times.
func addressOf(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	p := tcp.AddrPort()
	return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port())
}

// parseClient reads an element of X-Forwarded-For: an address, with a port or without.
func parseClient(text string) (netip.AddrPort, bool) {
	if p, err := netip.ParseAddrPort(text); err == nil {
		return netip.AddrPortFrom(p.Addr().Unmap().WithZone(""), p.Port()), true
	}
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return netip.AddrPortFrom(a.Unmap().WithZone(""), 0), err == nil
}

func within(networks []netip.Prefix, a netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(a) {
			return true
		}
	}
	return false
}
