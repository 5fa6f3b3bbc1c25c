package listener_test

import (
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
)

func TestRequestIDs(t *testing.T) {
	var seen []string
	_, addr := start(t, listener.Options{Serve: func(x *exchange.Exchange) {
		seen = append(seen, x.ID)
		x.HTTP.SetBodyString(x.ID)
	}})
	c := dial(t, addr)
	unique := map[string]bool{}
	for range 20 {
		c.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n")
		resp, body := c.answer("GET")
		id := resp.Header.Get("X-Request-Id")
		if len(id) != 32 || id != body || id != seen[len(seen)-1] || unique[id] {
			t.Fatalf("header %q, exchange %q, unique %v", id, body, !unique[id])
		}
		unique[id] = true
		if resp.Header.Get("Date") == "" {
			t.Error("answer without a date")
		}
	}
}

func TestRefusalIsAStatus(t *testing.T) {
	s, addr := start(t, listener.Options{Serve: ok})
	c := dial(t, addr)
	c.send("GET / HTTP/1.1\r\n\r\n")
	resp, body := c.answer("GET")
	id := resp.Header.Get("X-Request-Id")
	want := `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure",` +
		`"message":"the Host header is missing, repeated or malformed","reason":"BadRequest",` +
		`"details":{"causes":[{"reason":"RequestId","message":"` + id + `"}]},"code":400}` + "\n"
	if body != want || resp.Header.Get("Content-Type") != "application/json" || !resp.Close {
		t.Errorf("got %s\n%v", body, resp.Header)
	}
	if n := s.Stats().Refused; n != 1 {
		t.Errorf("%d refusals counted", n)
	}
}

func TestPanicCostsItsOwnRequestOnly(t *testing.T) {
	ended := make(chan int, 10)
	s, addr := start(t, listener.Options{Serve: func(x *exchange.Exchange) {
		x.OnEnd(func(x *exchange.Exchange) { ended <- x.HTTP.Response.StatusCode() })
		switch string(x.HTTP.Path()) {
		case "/early":
			panic("early")
		case "/late":
			x.StreamBody(io.NopCloser(strings.NewReader("never sent")), -1)
			panic("late")
		}
		x.HTTP.SetBodyString("fine")
	}})
	for _, path := range []string{"/early", "/late"} {
		c := dial(t, addr)
		c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n")
		resp, body := c.answer("GET")
		if resp.StatusCode != 500 || !strings.Contains(body, `"reason":"InternalError"`) || resp.Header.Get("X-Request-Id") == "" {
			t.Errorf("%s: %d %s", path, resp.StatusCode, body)
		}
		if code := <-ended; code != 500 {
			t.Errorf("%s: the exchange ended with %d", path, code)
		}
		c = dial(t, addr)
		c.send(plain)
		if resp, body := c.answer("GET"); resp.StatusCode != 200 || body != "fine" {
			t.Errorf("after %s: %d %s", path, resp.StatusCode, body)
		}
		<-ended
	}
	if n := s.Stats().Panics; n != 2 {
		t.Errorf("%d panics counted", n)
	}
}

func TestKeepAlive(t *testing.T) {
	_, addr := start(t, listener.Options{Serve: ok})
	c := dial(t, addr)
	for range 3 {
		c.send("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
		if _, body := c.answer("POST"); body != "POST /x abc" {
			t.Fatalf("got %q", body)
		}
		c.send("POST /y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")
		if _, body := c.answer("POST"); body != "POST /y abcd" {
			t.Fatalf("got %q", body)
		}
	}
}

func TestLargeBodies(t *testing.T) {
	_, addr := start(t, listener.Options{Serve: ok})
	big := strings.Repeat("0123456789abcdef", 64*1024)
	c := dial(t, addr)
	for range 2 {
		go func() { _, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n"+big) }()
		if _, body := c.answer("POST"); body != "POST / "+big {
			t.Fatalf("%d bytes came back", len(body))
		}
		go func() {
			_, _ = io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n"+big+"\r\n0\r\n\r\n")
		}()
		if _, body := c.answer("POST"); body != "POST / "+big {
			t.Fatalf("%d bytes came back", len(body))
		}
	}
}

func TestUnreadBodyIsNotTheNextRequest(t *testing.T) {
	var served atomic.Int32
	_, addr := start(t, listener.Options{Serve: func(x *exchange.Exchange) {
		served.Add(1)
		x.HTTP.SetStatusCode(403)
	}})
	c := dial(t, addr)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\n\r\n" + strings.Repeat(evil, 200))
	if resp, _ := c.answer("POST"); resp.StatusCode != 403 || !resp.Close {
		t.Errorf("got %d, close %v", resp.StatusCode, resp.Close)
	}
	if rest := c.rest(); rest != "" || served.Load() != 1 {
		t.Errorf("%d requests served, more answers: %q", served.Load(), rest)
	}
}

func TestExpect(t *testing.T) {
	_, addr := start(t, listener.Options{Serve: func(x *exchange.Exchange) {
		if string(x.HTTP.Path()) == "/no" {
			x.HTTP.SetStatusCode(401)
			return
		}
		ok(x)
		x.HTTP.Response.AppendBody(x.HTTP.Request.Header.Peek("X-Sum"))
	}})
	t.Run("refused before the body", func(t *testing.T) {
		c := dial(t, addr)
		c.send("PUT /no HTTP/1.1\r\nHost: a\r\nexpect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
		if got := c.rest(); !strings.HasPrefix(got, "HTTP/1.1 401") || strings.Contains(got, "100 Continue") {
			t.Errorf("got %q", got)
		}
	})
	for name, c := range map[string]struct{ head, body, want string }{
		"length":   {"Content-Length: 5", "hello", "PUT /yes hello"},
		"chunked":  {"Transfer-Encoding: chunked\r\nTrailer: X-Sum", "5\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 7\r\n\r\n", "PUT /yes hello!7"},
		"too long": {"Content-Length: 5", "hello" + evil, "PUT /yes hello"},
	} {
		for _, eager := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				cl := dial(t, addr)
				head := "PUT /yes HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n" + c.head + "\r\n\r\n"
				if eager {
					head += c.body
				}
				cl.send(head)
				if line, err := cl.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
					t.Fatalf("got %q, %v", line, err)
				}
				_, _ = cl.in.ReadString('\n')
				if !eager {
					cl.send(c.body)
				}
				resp, body := cl.answer("PUT")
				if resp.StatusCode != 200 || body != c.want || !resp.Close {
					t.Errorf("got %d %q", resp.StatusCode, body)
				}
				if rest := cl.rest(); rest != "" {
					t.Errorf("then %q", rest)
				}
			})
		}
	}
	t.Run("broken chunk", func(t *testing.T) {
		c := dial(t, addr)
		c.send("PUT /yes HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n" + evil)
		if got := c.rest(); !strings.HasPrefix(got, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 400") || strings.Contains(got, "evil") {
			t.Errorf("got %q", got)
		}
	})
}

func TestTunnel(t *testing.T) {
	_, addr := start(t, listener.Options{HeaderTimeout: 200 * time.Millisecond, IdleTimeout: 200 * time.Millisecond, Serve: func(x *exchange.Exchange) {
		x.Tunnel(func(c net.Conn) error {
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			_, err := io.Copy(c, c)
			return err
		})
	}})
	c := dial(t, addr)
	c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n\x00early\n")
	want := "HTTP/1.1 101 Switching Protocols\r\n\r\n\x00early\n"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c.in, got); err != nil || string(got) != want {
		t.Fatalf("got %q, %v", got, err)
	}
	c.send(strings.Repeat("GET / not http", 10000))
	back := make([]byte, 14*10000)
	if _, err := io.ReadFull(c.in, back); err != nil {
		t.Fatal(err)
	}
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	if rest := c.rest(); rest != "" {
		t.Errorf("then %q", rest)
	}
}

func TestClientLeaves(t *testing.T) {
	cancelled := make(chan struct{})
	_, addr := start(t, listener.Options{Serve: func(x *exchange.Exchange) {
		if string(x.HTTP.Path()) == "/quick" {
			x.HTTP.SetBodyString("quick")
			return
		}
		<-x.Context().Done()
		cancelled <- struct{}{}
		x.HTTP.SetBodyString("cancelled")
	}})
	t.Run("closes", func(t *testing.T) {
		c := dial(t, addr)
		c.send(plain)
		_ = c.Close()
		await(t, cancelled)
	})
	t.Run("resets", func(t *testing.T) {
		c := dial(t, addr)
		c.send(plain)
		_ = c.Conn.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
		await(t, cancelled)
	})
	t.Run("half-closes", func(t *testing.T) {
		c := dial(t, addr)
		c.send(plain)
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		await(t, cancelled)
		if _, body := c.answer("GET"); body != "cancelled" {
			t.Errorf("got %q", body)
		}
	})
	t.Run("half-closes behind a quick request", func(t *testing.T) {
		c := dial(t, addr)
		c.send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n")
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		if _, body := c.answer("GET"); body != "quick" {
			t.Errorf("got %q", body)
		}
		if rest := c.rest(); rest != "" {
			t.Errorf("then %q", rest)
		}
	})
	t.Run("in the middle of a head", func(t *testing.T) {
		c := dial(t, addr)
		c.send("GET / HTTP/1.1\r\nHos")
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		if rest := c.rest(); rest != "" {
			t.Errorf("got %q", rest)
		}
	})
	t.Run("in the middle of a body", func(t *testing.T) {
		c := dial(t, addr)
		c.send("POST /quick HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
		_ = c.Conn.(*net.TCPConn).CloseWrite()
		if resp, _ := c.answer("POST"); resp.StatusCode != 400 {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patient):
		t.Fatal("waited in vain")
	}
}
