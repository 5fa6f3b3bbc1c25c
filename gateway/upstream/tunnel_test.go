package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"strings"
	"testing"
)

const upgradeReq = "POST /exec?command=sh HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"

const switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"

// switching makes a server that switches to what f speaks.
func switching(t *testing.T, f func(c *net.TCPConn, r *bufio.Reader)) *gateway {
	up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		head, err := readHead(r)
		if err != nil || !strings.Contains(head, "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\n") {
			return
		}
		f(c, r)
	})
	return newGateway(t, Options{Addr: up.addr}, Request{Upgrades: []string{"spdy/3.1"}, LongRunning: true})
}

// upgrade asks the gateway for the switch and reads its head.
func (g *gateway) upgrade(t *testing.T, early string) (*net.TCPConn, *bufio.Reader, string) {
	t.Helper()
	c := g.dial(t)
	_, _ = io.WriteString(c, upgradeReq+early)
	r := bufio.NewReader(c)
	head, err := readHead(r)
	if err != nil {
		t.Fatalf("got %q, %v", head, err)
	}
	return c, r, head
}

// TestTunnelEcho: bytes of any kind and number pass, those in flight at the switch too; the end of one side's sending
// reaches the other, which may go on.
func TestTunnelEcho(t *testing.T) {
	g := switching(t, func(c *net.TCPConn, r *bufio.Reader) {
		_, _ = io.WriteString(c, switched+"hello ")
		_, _ = io.Copy(c, r)
		_, _ = io.WriteString(c, "bye") // behind the client's end
	})
	c, r, head := g.upgrade(t, "early ")
	if want := "HTTP/1.1 101 Switching Protocols\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n"; head != want {
		t.Errorf("head: got %q", head)
	}
	data := bytes.Repeat([]byte{0, 0xff, '\r', '\n', 'x'}, 200_000)
	go func() {
		_, _ = c.Write(data)
		_ = c.CloseWrite()
	}()
	got, err := io.ReadAll(r)
	if want := "hello early " + string(data) + "bye"; err != nil || string(got) != want {
		t.Errorf("got %d of %d bytes, %v", len(got), len(want), err)
	}
	if e := g.end(t); e.err != nil || e.reason != "" || e.written != int64(len(got)-len("hello ")) {
		t.Errorf("got %+v", e)
	}
	if s := g.pool.Stats(); s.Open != 0 || s.Tunnels != 1 {
		t.Errorf("got %+v", s)
	}
}

// TestTunnelServerEnds: what the server sent before its end arrives, and then its end does.
func TestTunnelServerEnds(t *testing.T) {
	g := switching(t, func(c *net.TCPConn, _ *bufio.Reader) {
		_, _ = io.WriteString(c, switched+strings.Repeat("x", 1<<20))
	})
	c, r, _ := g.upgrade(t, "")
	if n, err := io.Copy(io.Discard, r); n != 1<<20 || err != nil {
		t.Errorf("got %d bytes, %v", n, err)
	}
	_ = c.Close()
	g.end(t)
}

// TestTunnelClientDies: a reset of one side ends the other.
func TestTunnelClientDies(t *testing.T) {
	ended := make(chan struct{})
	g := switching(t, func(c *net.TCPConn, r *bufio.Reader) {
		_, _ = io.WriteString(c, switched)
		_, _ = io.Copy(io.Discard, r)
		close(ended)
	})
	c, _, _ := g.upgrade(t, "")
	_ = c.SetLinger(0)
	_ = c.Close()
	<-ended
	if e := g.end(t); e.reason == "" {
		t.Error("the exchange has no reason for its end")
	}
}

// TestTunnelClosedByPool: a shutdown ends tunnels.
func TestTunnelClosedByPool(t *testing.T) {
	g := switching(t, func(c *net.TCPConn, r *bufio.Reader) {
		_, _ = io.WriteString(c, switched)
		_, _ = io.Copy(io.Discard, r)
	})
	_, r, _ := g.upgrade(t, "")
	g.pool.Close()
	_, _ = io.Copy(io.Discard, r) // until the end
	if e := g.end(t); e.reason == "" {
		t.Error("the exchange has no reason for its end")
	}
}

// TestSwitchRefused: another answer than 101 is an ordinary response, and the bytes a client sent ahead are a request
// of its own to the gateway, never to the server.
func TestSwitchRefused(t *testing.T) {
	g := switching(t, func(c *net.TCPConn, r *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		if b, _ := io.ReadAll(r); len(b) > 0 {
			t.Errorf("the server got %q", b)
		}
	})
	got := g.raw(t, upgradeReq+"GET http://smuggled/ HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
	if !strings.HasPrefix(got, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nnoHTTP/1.1 502 ") {
		t.Errorf("got %q", got)
	}
	g.end(t)
	if e := g.end(t); kindOf(e.err) != "request" {
		t.Errorf("got %v", e.err)
	}
}

// TestSwitchToNothing: a 101 that does not say what it is, is not one.
func TestSwitchToNothing(t *testing.T) {
	g := switching(t, func(c *net.TCPConn, r *bufio.Reader) {
		_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
		_, _ = io.Copy(io.Discard, r)
	})
	_, _ = io.WriteString(g.dial(t), upgradeReq)
	if e := g.end(t); kindOf(e.err) != "malformed" {
		t.Errorf("got %v", e.err)
	}
}
