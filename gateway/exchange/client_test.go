package exchange

import (
	"net"
	"net/netip"
	"testing"

	"github.com/valyala/fasthttp"
)

func TestClient(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"nobody says anything", "192.0.2.1", nil, "192.0.2.1:7"},
		{"a client lies", "192.0.2.1", []string{"10.0.0.1"}, "192.0.2.1:7"},
		{"a proxy says nothing", "10.0.0.1", nil, "10.0.0.1:7"},
		{"a proxy tells", "10.0.0.1", []string{"198.51.100.9"}, "198.51.100.9"},
		{"with a port", "10.0.0.1", []string{"198.51.100.9:4711"}, "198.51.100.9:4711"},
		{"what the client wrote before is not read", "10.0.0.1", []string{"203.0.113.5, 198.51.100.9"}, "198.51.100.9"},
		{"nor in a line before", "10.0.0.1", []string{"203.0.113.5", "198.51.100.9"}, "198.51.100.9"},
		{"a chain of proxies", "10.0.0.1", []string{"203.0.113.5, 198.51.100.9, 10.2.2.2", "10.3.3.3"}, "198.51.100.9"},
		{"a chain and nobody in front", "10.0.0.1", []string{"10.2.2.2, 10.3.3.3"}, "10.2.2.2"},
		{"rubbish ends it", "10.0.0.1", []string{"198.51.100.9, unknown, 10.2.2.2"}, "10.2.2.2"},
		{"rubbish alone", "10.0.0.1", []string{"unknown"}, "10.0.0.1:7"},
		{"empty items", "10.0.0.1", []string{"198.51.100.9,"}, "10.0.0.1:7"},
		{"IPv6", "fd00::1", []string{"[2001:db8::1]:99"}, "[2001:db8::1]:99"},
		{"IPv6 without a port", "fd00::1", []string{"2001:db8::1"}, "2001:db8::1"},
		{"IPv4 in IPv6", "::ffff:10.0.0.1", []string{"::ffff:198.51.100.9"}, "198.51.100.9"},
	} {
		ctx := new(fasthttp.RequestCtx)
		ctx.SetRemoteAddr(&net.TCPAddr{IP: net.ParseIP(c.peer), Port: 7})
		for _, line := range c.forwarded {
			ctx.Request.Header.Add("X-Forwarded-For", line)
		}
		x := &Exchange{HTTP: ctx}
		x.SetClient(trusted)
		if got := string(x.AppendClient(nil)); got != c.want || x.Client().String() != netip.MustParseAddrPort(withPort(c.want)).Addr().String() {
			t.Errorf("%s: %s (%s), want %s", c.name, got, x.Client(), c.want)
		}
	}
}

// withPort makes an address one with a port.
func withPort(s string) string {
	if _, err := netip.ParseAddrPort(s); err == nil {
		return s
	}
	return netip.AddrPortFrom(netip.MustParseAddr(s), 1).String()
}

func TestClientAllocatesNothing(t *testing.T) {
	ctx := new(fasthttp.RequestCtx)
	ctx.SetRemoteAddr(&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 7})
	ctx.Request.Header.Set("X-Forwarded-For", "10.0.0.1")
	x, trusted := &Exchange{HTTP: ctx}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	b := make([]byte, 0, 64)
	if n := testing.AllocsPerRun(100, func() { x.SetClient(trusted); b = x.AppendClient(b[:0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
