//go:build !race

package upstream

import (
	"bufio"
	"io"
	"net"
	"testing"
)

const watchHead = "HTTP/1.1 200 OK\r\nAudit-Id: 8c2b1f6e\r\nCache-Control: no-cache, private\r\nContent-Type: application/json\r\n" +
	"X-Kubernetes-Pf-Flowschema-Uid: 1c2f\r\nX-Kubernetes-Pf-Prioritylevel-Uid: 3a4b\r\nDate: Sun, 22 Nov 2026 20:00:00 GMT\r\n"

const clientReq = "GET /api/v1/namespaces/default/pods/a?x=y HTTP/1.1\r\nHost: gateway:9090\r\nUser-Agent: kubectl/v1.37\r\n" +
	"Accept: application/json\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer abc\r\nX-Request-Id: 1\r\n\r\n"

// roundTripper sends one request over one kept connection, without an allocation of its own.
func roundTripper(t testing.TB, g *gateway, size int) func() {
	c := g.dial(t)
	r := bufio.NewReader(c)
	request, response := []byte(clientReq), make([]byte, size)
	return func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(r, response); err != nil {
			t.Fatal(err)
		}
	}
}

// quietTarget answers without an allocation.
func quietTarget(t testing.TB, response string) *target {
	out := []byte(response)
	return newTarget(t, func(_ int, c *net.TCPConn, _ *bufio.Reader) {
		in := make([]byte, 4096)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	})
}

func size(t testing.TB, g *gateway) int {
	return len(g.raw(t, clientReq[:len(clientReq)-2]+"Connection: close\r\n\r\n")) - len("Connection: close\r\n")
}

// TestAllocations is the ceiling of a proxied small GET, client, gateway and server together.
func TestAllocations(t *testing.T) {
	body := make([]byte, 1200)
	for i := range body {
		body[i] = 'x'
	}
	for _, tc := range []struct {
		name, response string
		ceiling        float64
	}{
		{"length", watchHead + "Content-Length: 1200\r\n\r\n" + string(body), 0},
		// The stream that the exchange makes of a body, and fasthttp's writer of chunks.
		{"chunked", watchHead + "Transfer-Encoding: chunked\r\n\r\n4b0\r\n" + string(body) + "\r\n0\r\n\r\n", 2},
	} {
		up := quietTarget(t, tc.response)
		g := newGateway(t, Options{Addr: up.addr}, Request{Drop: NewNames("authorization"), Add: []byte("Impersonate-User: u\r\n")})
		n := size(t, g)
		g.end(t)
		g.lean = true
		one := roundTripper(t, g, n)
		one()
		if got := testing.AllocsPerRun(500, one); got > tc.ceiling {
			t.Errorf("%s: %v allocations a request", tc.name, got)
		}
	}
}

// BenchmarkGet is one small GET after the other over one connection: the whole way, both ends included.
func BenchmarkGet(b *testing.B) {
	body := make([]byte, 1200)
	up := quietTarget(b, watchHead+"Content-Length: 1200\r\n\r\n"+string(body))
	g := newGateway(b, Options{Addr: up.addr}, Request{Drop: NewNames("authorization"), Add: []byte("Impersonate-User: u\r\n")})
	n := size(b, g)
	g.end(b)
	g.lean = true
	one := roundTripper(b, g, n)
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
}

// BenchmarkParse is one response head.
func BenchmarkParse(b *testing.B) {
	in := []byte(watchHead + "Content-Length: 1200\r\n\r\n")
	var h head
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		h.reset()
		if done, err := h.parse(in); !done || err != nil {
			b.Fatal(done, err)
		}
	}
}
