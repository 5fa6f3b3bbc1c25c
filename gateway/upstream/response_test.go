package upstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

const req = "GET /x HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"

// TestResponses is what the client sees of what the server sends. Where the server's bytes are not one response beyond
// doubt, the client sees our own 502, or a connection that breaks off; the connection to the server is not used again.
func TestResponses(t *testing.T) {
	many := func(s string, n int) string { return strings.Repeat(s, n) }
	for _, tc := range []struct {
		name, server string
		kind         string // of Forward's error; "" is none
		body         string // that the client reads
		broken       bool   // the client sees no end of the body
		reuse        bool   // a second request takes the same connection
	}{
		{name: "length", server: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", body: "hi", reuse: true},
		{name: "no length", server: "HTTP/1.1 200 OK\r\n\r\nhi", body: "hi"},
		{name: "chunks", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhi\r\n4\r\n you\r\n0\r\n\r\n", body: "hi you", reuse: true},
		{name: "chunk extension dropped", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nhi\r\n0;c\r\n\r\n", body: "hi", reuse: true},
		{name: "no reason", server: "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", reuse: true},
		{name: "HTTP/1.0", server: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", body: "hi"},
		{name: "close", server: "HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi", body: "hi"},
		{name: "interim", server: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", reuse: true},
		{name: "204", server: "HTTP/1.1 204 No Content\r\n\r\n", reuse: true},
		{name: "304 with length", server: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", reuse: true},
		{name: "204 with length", server: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "bytes behind the body", server: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen", body: "hi"},
		{name: "bytes behind the last chunk", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", body: "hi"},
		{name: "body too short", server: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", body: "hi", broken: true},
		{name: "last chunk missing", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", body: "hi", broken: true},
		{name: "trailer line missing", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", body: "hi", broken: true},

		{name: "both framings", server: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", kind: "malformed"},
		{name: "two lengths", server: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi", kind: "malformed"},
		{name: "two equal lengths", server: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", kind: "malformed"},
		{name: "list of lengths", server: "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi", kind: "malformed"},
		{name: "signed length", server: "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi", kind: "malformed"},
		{name: "empty length", server: "HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhi", kind: "malformed"},
		{name: "huge length", server: "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nhi", kind: "malformed"},
		{name: "gzip coding", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", kind: "malformed"},
		{name: "identity coding", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhi", kind: "malformed"},
		{name: "two codings", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", kind: "malformed"},
		{name: "coding in HTTP/1.0", server: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", kind: "malformed"},
		{name: "bare LF", server: "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", kind: "malformed"},
		{name: "bare LF in headers", server: "HTTP/1.1 200 OK\r\nA: b\nContent-Length: 2\r\n\r\nhi", kind: "malformed"},
		{name: "bare CR", server: "HTTP/1.1 200 OK\r\nA: b\rContent-Length: 2\r\n\r\nhi", kind: "malformed"},
		{name: "NUL", server: "HTTP/1.1 200 OK\r\nA: b\x00c\r\n\r\n", kind: "malformed"},
		{name: "folded line", server: "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", kind: "malformed"},
		{name: "space before colon", server: "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi", kind: "malformed"},
		{name: "no colon", server: "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n", kind: "malformed"},
		{name: "empty name", server: "HTTP/1.1 200 OK\r\n: x\r\n\r\n", kind: "malformed"},
		{name: "not HTTP", server: "SSH-2.0-OpenSSH_9.6\r\n\r\n", kind: "malformed"},
		{name: "HTTP/2", server: "HTTP/2.0 200 OK\r\n\r\n", kind: "malformed"},
		{name: "code 99", server: "HTTP/1.1 099 x\r\n\r\n", kind: "malformed"},
		{name: "code 600", server: "HTTP/1.1 600 x\r\n\r\n", kind: "malformed"},
		{name: "four digits", server: "HTTP/1.1 2000 x\r\n\r\n", kind: "malformed"},
		{name: "reason with NUL", server: "HTTP/1.1 200 O\x00K\r\n\r\n", kind: "malformed"},
		{name: "101 unasked", server: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", kind: "malformed"},
		{name: "interim flood", server: many("HTTP/1.1 100 Continue\r\n\r\n", 50), kind: "malformed"},
		{name: "huge head", server: "HTTP/1.1 200 OK\r\nA: " + many("b", 70<<10) + "\r\n\r\n", kind: "malformed"},
		{name: "endless line", server: "HTTP/1.1 200 " + many("b", 70<<10), kind: "malformed"},
		{name: "many headers", server: "HTTP/1.1 200 OK\r\n" + many("A: b\r\n", 600) + "\r\n", kind: "malformed"},
		{name: "bad first chunk", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", kind: "malformed"},
		{name: "chunk size with sign", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n", kind: "malformed"},
		{name: "chunk size with 0x", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n", kind: "malformed"},
		{name: "chunk size with space", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nhi\r\n0\r\n\r\n", kind: "malformed"},
		{name: "chunk size overflows", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhi\r\n0\r\n\r\n", kind: "malformed"},
		{name: "chunk line with bare LF", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n", kind: "malformed"},
		{name: "CR in extension", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a\rb\r\nhi\r\n0\r\n\r\n", kind: "malformed"},
		{name: "chunk too long", server: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiX\r\n0\r\n\r\n", kind: "malformed"},
		{name: "nothing", server: "", kind: "closed"},
		{name: "half a head", server: "HTTP/1.1 200 OK\r\nContent-", kind: "closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			first := make(chan struct{})
			up := newTarget(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
				for {
					if _, err := readHead(r); err != nil {
						return
					}
					if _, err := io.WriteString(c, tc.server); err != nil {
						return
					}
					if !tc.reuse { // what is behind the response must be in sight at once
						<-first
						return
					}
				}
			})
			g := newGateway(t, Options{Addr: up.addr}, Request{})
			if tc.name == "no length" || tc.broken || tc.kind == "closed" {
				close(first) // its end is the server's close
			} else {
				defer close(first)
			}
			resp, body, err := g.get(t, "/x")
			end := g.end(t)
			switch {
			case tc.kind != "":
				if got := kindOf(end.err); got != tc.kind || resp == nil || resp.StatusCode != 502 {
					t.Fatalf("got %v (%s), response %v", end.err, got, resp)
				}
				return
			case end.err != nil:
				t.Fatal(end.err)
			case tc.broken != (err != nil):
				t.Fatalf("broken off: got %v", err)
			case body != tc.body:
				t.Fatalf("body: got %q", body)
			}
			if tc.reuse {
				if _, _, err := g.get(t, "/x"); err != nil {
					t.Fatal(err)
				}
				g.end(t)
			}
			if s := g.pool.Stats(); (s.Reused == 1) != tc.reuse || s.Idle > 1 {
				t.Errorf("reused: got %+v", s)
			} else if want := map[bool]int{true: 1}[tc.reuse]; s.Idle != want {
				t.Errorf("idle: got %d", s.Idle)
			}
		})
	}
}

// TestHeaders shows what of a response's head goes to the client, to the byte.
func TestHeaders(t *testing.T) {
	up := newTarget(t, answer("HTTP/1.1 418 I am a Teapot\r\nx-ONE: 1\r\nAudit-Id: a\r\nWarning: 299 - \"x\"\r\nwarning: 299 - \"y\"\r\n"+
		"Keep-Alive: timeout=5\r\nConnection: X-Secret, keep-alive\r\nX-Secret: s\r\nProxy-Authenticate: Basic\r\nUpgrade: h2c\r\n"+
		"Content-Type: application/json\r\nContent-Encoding: gzip\r\nX-Latin: \xe9\r\nX-Empty:\r\nContent-Length: 2\r\n\r\n\x1f\x8b", false))
	g := newGateway(t, Options{Addr: up.addr}, Request{})
	got := g.raw(t, req)
	want := "HTTP/1.1 418 I am a Teapot\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n" +
		"x-ONE: 1\r\nAudit-Id: a\r\nWarning: 299 - \"x\"\r\nwarning: 299 - \"y\"\r\nX-Latin: \xe9\r\nX-Empty: \r\nConnection: close\r\n\r\n\x1f\x8b"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestHeadKeepsLength: HEAD and 304 say how long a body would be, and have none.
func TestHeadKeepsLength(t *testing.T) {
	for _, tc := range []struct{ method, response string }{
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\n"},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 123\r\n\r\n"},
	} {
		up := newTarget(t, answer(tc.response, false))
		g := newGateway(t, Options{Addr: up.addr}, Request{})
		for range 2 {
			got := g.raw(t, tc.method+req[3:])
			if !strings.Contains(got, "\r\nContent-Length: 123\r\n") || !strings.HasSuffix(got, "\r\n\r\n") {
				t.Errorf("%s: got %q", tc.method, got)
			}
			g.end(t)
		}
		if s := g.pool.Stats(); s.Reused != 1 {
			t.Errorf("%s: the connection was not used again: %+v", tc.method, s)
		}
	}
}

// TestTrailers: those of the response arrive, announced or not; one that forges a header does not.
func TestTrailers(t *testing.T) {
	up := newTarget(t, answer("HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"+
		"2\r\nhi\r\n0\r\nX-Sum: 42\r\nX-Late: 1\r\nSet-Cookie: a=b\r\nContent-Length: 5\r\n\r\n", false))
	g := newGateway(t, Options{Addr: up.addr}, Request{})
	resp, body, err := g.get(t, "/")
	if err != nil || body != "hi" {
		t.Fatal(err, body)
	}
	if fmt.Sprint(resp.Trailer) != "map[X-Late:[1] X-Sum:[42]]" {
		t.Errorf("got %v", resp.Trailer)
	}
}
