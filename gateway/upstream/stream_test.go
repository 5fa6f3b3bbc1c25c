package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestFlush: what the server has sent is with the client before the server sends more, whatever the framing.
func TestFlush(t *testing.T) {
	for name, tc := range map[string]struct{ head, format, end string }{
		"chunked":     {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "4\r\nev%02d\r\n", "0\r\n\r\n"},
		"length":      {"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n", "ev%02d", ""},
		"until close": {"HTTP/1.1 200 OK\r\n\r\n", "ev%02d", ""},
	} {
		t.Run(name, func(t *testing.T) {
			next := make(chan struct{})
			up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, tc.head)
				for i := range 10 {
					if _, ok := <-next; !ok {
						return
					}
					_, _ = fmt.Fprintf(c, tc.format, i)
				}
				_, _ = io.WriteString(c, tc.end)
			})
			g := newGateway(t, Options{Addr: up.addr}, Request{LongRunning: true})
			defer close(next)
			c := g.dial(t)
			_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: g\r\n\r\n")
			resp, err := http.ReadResponse(bufio.NewReader(c), nil) // the head comes before any event
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 4)
			for i := range 10 {
				next <- struct{}{}
				if _, err := io.ReadFull(resp.Body, p); err != nil || string(p) != fmt.Sprintf("ev%02d", i) {
					t.Fatalf("event %d: got %q, %v", i, p, err)
				}
			}
			if n, err := resp.Body.Read(p); n != 0 || err != io.EOF {
				t.Errorf("at the end: got %d, %v", n, err)
			}
			if e := g.end(t); e.written != 40 {
				t.Errorf("written: got %d", e.written)
			}
		})
	}
}

// TestBigBodies: 100 MB pass through, down and up, in a few MB of heap, in every framing.
func TestBigBodies(t *testing.T) {
	const size, part = 100 << 20, 1 << 20
	block := bytes.Repeat([]byte("0123456789abcdef"), part/16)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if q.Method == "POST" {
			n, _ := io.Copy(io.Discard, q.Body)
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n%d", n)
			return
		}
		chunked := q.URL.Path == "/chunked"
		if chunked {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		} else {
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		}
		for range size / part {
			if chunked {
				_, _ = fmt.Fprintf(c, "%x\r\n", part)
			}
			_, _ = c.Write(block)
			if chunked {
				_, _ = io.WriteString(c, "\r\n")
			}
		}
		if chunked {
			_, _ = io.WriteString(c, "0\r\n\r\n")
		}
	})
	g := newGateway(t, Options{Addr: up.addr}, Request{})
	runtime.GC()
	before := heap()
	peak := before
	for _, path := range []string{"/length", "/chunked"} {
		resp, err := http.Get("http://" + g.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		p, n := make([]byte, 64<<10), 0
		for err == nil {
			var m int
			m, err = resp.Body.Read(p)
			for i := 0; i < m; i += 4096 {
				if p[i] != block[(n+i)%16] {
					t.Fatalf("%s: byte %d differs", path, n+i)
				}
			}
			if n/(8<<20) != (n+m)/(8<<20) {
				peak = max(peak, heap())
			}
			n += m
		}
		if n != size || err != io.EOF {
			t.Fatalf("%s: got %d bytes, %v", path, n, err)
		}
		g.end(t)
	}
	for _, length := range []int64{size, -1} {
		src := io.LimitReader(&watcher{block: block, every: 8 << 20, look: func() { peak = max(peak, heap()) }}, size)
		q, _ := http.NewRequest("POST", "http://"+g.addr+"/", src)
		q.ContentLength = length
		resp, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := io.ReadAll(resp.Body); string(b) != fmt.Sprint(size) {
			t.Fatalf("the server got %s bytes", b)
		}
		g.end(t)
	}
	http.DefaultClient.CloseIdleConnections()
	if grown := int64(peak) - int64(before); grown > 8<<20 {
		t.Errorf("the heap grew by %d KiB", grown>>10)
	}
}

// watcher is an endless source that looks now and then.
type watcher struct {
	block []byte
	every int
	n     int
	look  func()
}

func (w *watcher) Read(p []byte) (int, error) {
	n := copy(p, w.block)
	if w.n/w.every != (w.n+n)/w.every {
		w.look()
	}
	w.n += n
	return n, nil
}

// TestClientLeaves: whatever the call is at, its end reaches the server.
func TestClientLeaves(t *testing.T) {
	for _, tc := range []struct{ name, head string }{
		{"before the head", ""},
		{"in the body", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"},
		{"in a body of known length", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked, left := make(chan struct{}), make(chan error, 1)
			up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
				_, _ = readHead(r)
				_, _ = io.WriteString(c, tc.head)
				close(asked)
				_, err := r.ReadByte()
				left <- err
			})
			g := newGateway(t, Options{Addr: up.addr}, Request{LongRunning: true})
			c := g.dial(t)
			_, _ = io.WriteString(c, req)
			<-asked
			if tc.head != "" {
				if _, err := readHead(bufio.NewReader(c)); err != nil {
					t.Fatal(err)
				}
			}
			g.peer.Hangup()
			if err := <-left; err != io.EOF && !strings.Contains(fmt.Sprint(err), "reset") {
				t.Errorf("the server saw %v", err)
			}
			e := g.end(t)
			if tc.head == "" && kindOf(e.err) != "canceled" || tc.head != "" && !strings.Contains(e.reason, "given up") {
				t.Errorf("got %v, reason %q", e.err, e.reason)
			}
			if s := g.pool.Stats(); s.Open != 0 || s.Broken != 0 {
				t.Errorf("got %+v", s)
			}
		})
	}
}

// TestLeavesWhileWaiting: a client that leaves gives up its place in the queue, and the dial that goes on for it.
func TestLeavesWhileWaiting(t *testing.T) {
	asked, release := make(chan struct{}, 9), make(chan struct{})
	up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		_, _ = readHead(r)
		asked <- struct{}{}
		<-release
	})
	g := newGateway(t, Options{Addr: up.addr, MaxConns: 1, WaitTimeout: time.Minute}, Request{})
	defer close(release)
	for range 2 {
		_, _ = io.WriteString(g.dial(t), req)
	}
	<-asked
	for g.pool.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	g.peer.Hangup() // the peer's one registration is the later call's, which is the one that waits
	if e := g.end(t); kindOf(e.err) != "canceled" {
		t.Errorf("got %v", e.err)
	}
	if s := g.pool.Stats(); s.Waiting != 0 || s.Open != 1 {
		t.Errorf("got %+v", s)
	}
}

// TestEarlyResponse: a server that answers before it has read the body is heard, and the client told not to go on.
func TestEarlyResponse(t *testing.T) {
	for framing, body := range map[string]string{
		"Content-Length: 1000000":    strings.Repeat("x", 9000), // fasthttp reads 8 KiB of it before it calls anybody
		"Transfer-Encoding: chunked": "5\r\nhello\r\n",
	} {
		up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			_, _ = readHead(r)
			_, _ = io.WriteString(c, "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig")
			_, _ = io.Copy(io.Discard, r) // until the gateway closes
		})
		g := newGateway(t, Options{Addr: up.addr}, Request{})
		got := g.raw(t, "POST / HTTP/1.1\r\nHost: g\r\n"+framing+"\r\n\r\n"+body)
		if !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.Contains(got, "Connection: close\r\n") || !strings.HasSuffix(got, "\r\n\r\nbig") {
			t.Errorf("%s: got %q", framing, got)
		}
		g.end(t)
		if s := g.pool.Stats(); s.Open != 0 {
			t.Errorf("%s: got %+v", framing, s)
		}
	}
}

// TestBothWays: a server may stream its response while it reads the request.
func TestBothWays(t *testing.T) {
	up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		p := make([]byte, 100)
		for {
			n, err := q.Body.Read(p)
			if n > 0 {
				_, _ = fmt.Fprintf(c, "%x\r\n%s\r\n", n, p[:n])
			}
			if err != nil {
				break
			}
		}
		_, _ = io.WriteString(c, "0\r\n\r\n")
	})
	g := newGateway(t, Options{Addr: up.addr}, Request{})
	c := g.dial(t)
	_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		_, _ = fmt.Fprintf(c, "3\r\nm%02d\r\n", i)
		p := make([]byte, 3)
		if _, err := io.ReadFull(resp.Body, p); err != nil || string(p) != fmt.Sprintf("m%02d", i) {
			t.Fatalf("got %q, %v", p, err)
		}
	}
	_, _ = io.WriteString(c, "0\r\n\r\n")
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) != 0 {
		t.Errorf("got %q, %v", b, err)
	}
}

// TestEnd: a watch that the gateway ends, because it shuts down, ends as if the server had ended it.
func TestEnd(t *testing.T) {
	up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		_, _ = readHead(r)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n")
		_, _ = io.Copy(io.Discard, r)
	})
	g := newGateway(t, Options{Addr: up.addr}, Request{LongRunning: true})
	c := g.dial(t)
	_, _ = io.WriteString(c, req)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	g.peer.End()
	if b, err := io.ReadAll(resp.Body); err != nil || string(b) != "hi" {
		t.Errorf("got %q, %v", b, err)
	}
}
