package upstream

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// TestRequests is what the server reads of what the client sends.
func TestRequests(t *testing.T) {
	const h = "Host: target\r\n"
	for _, tc := range []struct {
		name, client, server string
		req                  Request
		kind                 string
	}{
		{
			name: "order and spelling", client: "GET /a?b=%2F&&c HTTP/1.1\r\nHost: g\r\nuser-AGENT: x\r\nA: 1\r\naccept:  z \r\na: 2\r\n\r\n",
			server: "GET /a?b=%2F&&c HTTP/1.1\r\n" + h + "user-AGENT: x\r\nA: 1\r\naccept: z\r\na: 2\r\n\r\n",
		},
		{
			name: "prefix and addition", client: "GET /a HTTP/1.1\r\nHost: g\r\n\r\n",
			req:    Request{Prefix: "/k8s/x", Add: []byte("Impersonate-User: u\r\n")},
			server: "GET /k8s/x/a HTTP/1.1\r\n" + h + "Impersonate-User: u\r\n\r\n",
		},
		{
			name: "hop by hop", client: "GET / HTTP/1.1\r\nHost: g\r\nConnection: X-Hop , keep-alive\r\nx-hop: 1\r\nKeep-Alive: 5\r\n" +
				"Proxy-Authorization: s\r\nProxy-Connection: close\r\nTE: gzip;q=1, trailers\r\nUpgrade: h2c\r\nHTTP2-Settings: s\r\nB: 1\r\n\r\n",
			server: "GET / HTTP/1.1\r\n" + h + "TE: trailers\r\nB: 1\r\n\r\n",
		},
		{
			name: "dropped", client: "GET / HTTP/1.1\r\nHost: g\r\nAUTHORIZATION: s\r\nImpersonate-Extra-x: 1\r\nImpersonate-User: root\r\nImperson: 1\r\n\r\n",
			req:    Request{Drop: NewNames("authorization", "impersonate-*")},
			server: "GET / HTTP/1.1\r\n" + h + "Imperson: 1\r\n\r\n",
		},
		{
			name: "an addition cannot be named away", client: "GET / HTTP/1.1\r\nHost: g\r\nConnection: Impersonate-User\r\n\r\n",
			req:    Request{Add: []byte("Impersonate-User: u\r\n")},
			server: "GET / HTTP/1.1\r\n" + h + "Impersonate-User: u\r\n\r\n",
		},
		{
			name: "small body", client: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\nContent-Type: a/b\r\n\r\nhi",
			server: "POST / HTTP/1.1\r\n" + h + "Content-Type: a/b\r\nContent-Length: 2\r\n\r\nhi",
		},
		{
			name: "POST without body", client: "POST / HTTP/1.1\r\nHost: g\r\n\r\n",
			server: "POST / HTTP/1.1\r\n" + h + "Content-Length: 0\r\n\r\n",
		},
		{
			name: "DELETE with body", client: "DELETE / HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\n{}",
			server: "DELETE / HTTP/1.1\r\n" + h + "Content-Length: 2\r\n\r\n{}",
		},
		{
			name: "chunked with trailers", client: "POST / HTTP/1.1\r\nHost: g\r\nTrailer: X-Sum, Impersonate-User\r\nTransfer-Encoding: chunked\r\n\r\n" +
				"2;x\r\nhi\r\n0\r\nX-Sum: 1\r\nImpersonate-User: root\r\n\r\n",
			req:    Request{Drop: NewNames("impersonate-*")},
			server: "POST / HTTP/1.1\r\n" + h + "Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
		},
		{
			name: "chunked with trailers nobody announced", client: "POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX: 1\r\n\r\n",
			server: "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		},
		{
			name: "length and chunked", client: "POST / HTTP/1.1\r\nHost: g\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
			server: "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
		},
		{
			name: "100 has been answered here", client: "POST / HTTP/1.1\r\nHost: g\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
			server: "POST / HTTP/1.1\r\n" + h + "Content-Length: 2\r\n\r\nhi",
		},
		{
			name: "upgrade not allowed", client: "GET / HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
			req:    Request{Upgrades: []string{"websocket"}},
			server: "GET / HTTP/1.1\r\n" + h + "\r\n",
		},
		{
			name: "upgrade with a body", client: "POST / HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
			req:    Request{Upgrades: []string{"websocket"}},
			server: "POST / HTTP/1.1\r\n" + h + "Content-Length: 1\r\n\r\nx",
		},
		{
			name: "upgrade", client: "GET / HTTP/1.1\r\nHost: g\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
			req:    Request{Upgrades: []string{"websocket"}},
			server: "GET / HTTP/1.1\r\n" + h + "Connection: Upgrade\r\nUpgrade: WebSocket\r\n\r\n",
		},
		{name: "CONNECT", client: "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", kind: "request"},
		{name: "absolute form", client: "GET http://x/y HTTP/1.1\r\nHost: x\r\n\r\n", kind: "request"},
		{name: "bare LF", client: "GET / HTTP/1.1\r\nHost: g\nA: b\r\n\r\n", kind: "request"},
		{name: "folded line", client: "GET / HTTP/1.1\r\nHost: g\r\nA: b\r\n Authorization: c\r\n\r\n", kind: "request"},
		{name: "space in a name", client: "GET / HTTP/1.1\r\nHost: g\r\nA B: c\r\n\r\n", kind: "request"},
		{name: "broken chunk", client: "POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiXX", kind: "request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			saw := make(chan string, 1)
			up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
				head, err := readHead(r)
				if err != nil {
					return
				}
				saw <- head + readBody(r, head)
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			})
			g := newGateway(t, Options{Addr: up.addr, Host: "target"}, tc.req)
			c := g.dial(t)
			_, _ = io.WriteString(c, tc.client)
			if tc.kind != "" {
				if got := kindOf(g.end(t).err); got != tc.kind {
					t.Errorf("got %s", got)
				}
				return
			}
			if got := <-saw; got != tc.server {
				t.Errorf("got  %q\nwant %q", got, tc.server)
			}
			if e := g.end(t); e.err != nil {
				t.Error(e.err)
			}
		})
	}
}

// readBody reads a request's body as raw bytes.
func readBody(r *bufio.Reader, head string) string {
	var b strings.Builder
	switch {
	case strings.Contains(head, "chunked"):
		for !strings.HasSuffix(b.String(), "\r\n\r\n") {
			c, err := r.ReadByte()
			if err != nil {
				break
			}
			b.WriteByte(c)
		}
	case strings.Contains(head, "Content-Length: 2"):
		p := make([]byte, 2)
		_, _ = io.ReadFull(r, p)
		b.Write(p)
	case strings.Contains(head, "Content-Length: 1"):
		c, _ := r.ReadByte()
		b.WriteByte(c)
	}
	return b.String()
}

func TestAppendHeader(t *testing.T) {
	for _, v := range []string{"a\r\nB: c", "a\nb", "a\x00", " a", "a ", "\ta", "a\x7f"} {
		if b, err := AppendHeader([]byte("x"), "A", v); err == nil || string(b) != "x" {
			t.Errorf("value %q: got %q, %v", v, b, err)
		}
	}
	for _, n := range []string{"", "a b", "a:", "a\r\n", "ä"} {
		if _, err := AppendHeader(nil, n, "v"); err == nil {
			t.Errorf("name %q was accepted", n)
		}
	}
	if b, err := AppendHeader(nil, "A", "ü \"b\""); err != nil || string(b) != "A: ü \"b\"\r\n" {
		t.Errorf("got %q, %v", b, err)
	}
}
