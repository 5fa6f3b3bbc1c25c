package upstream

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
)

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

// TestDeadTarget: what a caller maps to 502 and 504.
func TestDeadTarget(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	g := newGateway(t, Options{Addr: dead}, Request{})
	_, _, _ = g.get(t, "/")
	if e := g.end(t); kindOf(e.err) != "unreachable" || !errors.Is(e.err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", e.err)
	}
	silent := newTarget(t, func(_ int, _ *net.TCPConn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	for _, opt := range []Options{
		{Addr: silent.addr, HeaderTimeout: 50 * time.Millisecond},
		{Addr: silent.addr, DialTimeout: 50 * time.Millisecond, TLS: &tls.Config{}}, // no handshake comes
	} {
		g := newGateway(t, opt, Request{})
		_, _, _ = g.get(t, "/")
		if e := g.end(t); kindOf(e.err) != "timeout" {
			t.Errorf("got %v", e.err)
		}
		if s := g.pool.Stats(); s.Open != 0 || s.Errors["timeout"] != 1 {
			t.Errorf("got %+v", s)
		}
	}
	big := newGateway(t, Options{Addr: silent.addr, HeaderTimeout: 50 * time.Millisecond}, Request{})
	resp, err := http.Post("http://"+big.addr, "a/b", strings.NewReader(strings.Repeat("x", 100_000)))
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if e := big.end(t); kindOf(e.err) != "timeout" {
		t.Errorf("behind an upload: got %v", e.err)
	}
}

// TestRetry: a request that met the server's close of an idle connection is sent once more, if that is safe.
func TestRetry(t *testing.T) {
	for _, tc := range []struct {
		request string
		kind    string
		retries uint64
	}{
		{"GET / HTTP/1.1\r\nHost: g\r\n\r\n", "none", 1},
		{"DELETE / HTTP/1.1\r\nHost: g\r\n\r\n", "none", 1},
		{"POST / HTTP/1.1\r\nHost: g\r\n\r\n", "closed", 0},
		{"PUT / HTTP/1.1\r\nHost: g\r\nContent-Length: 2\r\n\r\nhi", "closed", 0},
	} {
		up := newTarget(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
			_, _ = readHead(r)
			_, _ = io.WriteString(c, ok)
			if n == 0 { // takes the second request and dies without a word
				_, _ = readHead(r)
				return
			}
			_, _ = io.Copy(io.Discard, r)
		})
		g := newGateway(t, Options{Addr: up.addr}, Request{})
		if _, b, err := g.get(t, "/"); err != nil || b != "hi" {
			t.Fatal(b, err)
		}
		g.end(t)
		_, _ = io.WriteString(g.dial(t), tc.request)
		if e := g.end(t); kindOf(e.err) != tc.kind {
			t.Errorf("%q: got %v", tc.request, e.err)
		}
		if s := g.pool.Stats(); s.Retries != tc.retries || s.Reused != 1 {
			t.Errorf("%q: got %+v", tc.request, s)
		}
	}
}

// TestStale: a connection that the server closed while it was idle, or on which bytes came that nobody asked for, is
// not used, so that even a POST cannot meet it.
func TestStale(t *testing.T) {
	for _, last := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsplit"} {
		idle, done := make(chan struct{}), make(chan struct{})
		up := newTarget(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
			for {
				if _, err := readHead(r); err != nil {
					return
				}
				_, _ = io.WriteString(c, ok)
				if n > 0 {
					continue
				}
				<-idle
				_, _ = io.WriteString(c, last)
				if last == "" {
					_ = c.CloseWrite()
				}
				close(done)
				_, _ = io.Copy(io.Discard, r)
				return
			}
		})
		g := newGateway(t, Options{Addr: up.addr}, Request{})
		_, _, _ = g.get(t, "/")
		g.end(t)
		close(idle)
		<-done
		g.pool.mu.Lock()
		cn := g.pool.idle[0]
		g.pool.mu.Unlock()
		for cn.usable() { // until the kernel has passed it on
			runtime.Gosched()
		}
		_, _ = io.WriteString(g.dial(t), "POST / HTTP/1.1\r\nHost: g\r\n\r\n")
		if e := g.end(t); e.err != nil {
			t.Error(e.err)
		}
		if s := g.pool.Stats(); s.Reused != 0 || s.Retries != 0 || s.Dials != 2 {
			t.Errorf("got %+v", s)
		}
	}
}

// TestBounds: no more than MaxConns at once; who waits gets the next free one; who would be one too many, or waits too
// long, is refused.
func TestBounds(t *testing.T) {
	asked, release := make(chan struct{}, 9), make(chan struct{})
	up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			asked <- struct{}{}
			<-release
			_, _ = io.WriteString(c, ok)
		}
	})
	g := newGateway(t, Options{Addr: up.addr, MaxConns: 2, MaxWaiting: 1, WaitTimeout: time.Minute}, Request{})
	for range 2 {
		_, _ = io.WriteString(g.dial(t), req)
		<-asked
	}
	_, _ = io.WriteString(g.dial(t), req)
	for g.pool.Stats().Waiting == 0 {
		runtime.Gosched()
	}
	_, _, _ = g.get(t, "/")
	if e := g.end(t); kindOf(e.err) != "exhausted" {
		t.Errorf("got %v", e.err)
	}
	close(release)
	for range 3 {
		if e := g.end(t); e.err != nil {
			t.Error(e.err)
		}
	}
	if s := g.pool.Stats(); s.Dials != 2 || s.Reused != 1 || s.Waits != 1 || s.Idle != 2 {
		t.Errorf("got %+v", s)
	}
}

func TestWaitTimeout(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	up := newTarget(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		_, _ = readHead(r)
		close(asked)
		<-release
	})
	defer close(release)
	g := newGateway(t, Options{Addr: up.addr, MaxConns: 1, WaitTimeout: 20 * time.Millisecond}, Request{})
	_, _ = io.WriteString(g.dial(t), req)
	<-asked
	_, _, _ = g.get(t, "/")
	if e := g.end(t); kindOf(e.err) != "exhausted" {
		t.Errorf("got %v", e.err)
	}
}

// TestIdleTimeout: idle connections are closed, and no more than MaxIdle are kept.
func TestIdleTimeout(t *testing.T) {
	up := newTarget(t, answer(ok, false))
	g := newGateway(t, Options{Addr: up.addr, IdleTimeout: 20 * time.Millisecond}, Request{})
	_, _, _ = g.get(t, "/")
	g.end(t)
	for g.pool.Stats().Open > 0 {
		time.Sleep(time.Millisecond)
	}
	few := newGateway(t, Options{Addr: up.addr, MaxIdle: 1}, Request{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { _, _, _ = few.get(t, "/") })
	}
	wg.Wait()
	for range 8 {
		few.end(t)
	}
	if s := few.pool.Stats(); s.Idle != 1 || s.Open != 1 {
		t.Errorf("got %+v", s)
	}
}

// TestTLS: a real server, many requests at once, sessions and connections used again.
func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write([]byte(r.Proto + " " + r.URL.Path + " " + string(b)))
	}))
	srv.EnableHTTP2 = true // which we must not speak
	srv.StartTLS()
	defer srv.Close()
	tc := srv.Client().Transport.(*http.Transport).TLSClientConfig
	g := newGateway(t, Options{Addr: srv.Listener.Addr().String(), TLS: tc}, Request{})
	var wg sync.WaitGroup
	body := strings.Repeat("y", 50_000)
	client := &http.Client{Transport: &http.Transport{}}
	for range 8 {
		wg.Go(func() {
			for range 20 {
				resp, err := client.Post("http://"+g.addr+"/a", "a/b", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				b, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if string(b) != "HTTP/1.1 /a "+body || err != nil {
					t.Errorf("got %d bytes, %v", len(b), err)
				}
			}
		})
	}
	wg.Wait()
	client.CloseIdleConnections()
	for range 160 {
		if e := g.end(t); e.err != nil {
			t.Error(e.err)
		}
	}
	if s := g.pool.Stats(); s.Dials+s.Reused != 160 || s.Dials > 30 {
		t.Errorf("got %+v", s)
	}
	bad := newGateway(t, Options{Addr: srv.Listener.Addr().String(), TLS: &tls.Config{}}, Request{})
	_, _, _ = bad.get(t, "/")
	if e := bad.end(t); kindOf(e.err) != "unreachable" {
		t.Errorf("unknown authority: got %v", e.err)
	}
}

// TestCancelRaces: clients leave at any moment of a request, and no other request on the same connections suffers. It
// is worth most under the race detector.
func TestCancelRaces(t *testing.T) {
	up := newTarget(t, answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n", false))
	g := newGateway(t, Options{Addr: up.addr, MaxConns: 4}, Request{})
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for n := range 100 {
				c := g.dial(t)
				peer := new(exchange.Peer)
				g.own.Store(c.LocalAddr().String(), peer)
				_, _ = io.WriteString(c, req)
				if i%2 == 0 { // these stay
					if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), "\r\n\r\n2\r\nhi\r\n0\r\n\r\n") {
						t.Errorf("got %q, %v", b, err)
					}
					continue
				}
				for range n * 20 {
					runtime.Gosched()
				}
				peer.Hangup()
				_ = c.Close()
			}
		})
	}
	wg.Wait()
	for range 400 {
		if e := g.end(t); e.err != nil && kindOf(e.err) != "canceled" {
			t.Error(e.err)
		}
	}
	if s := g.pool.Stats(); s.Open != s.Idle || s.Open > 4 {
		t.Errorf("got %+v", s)
	}
}
