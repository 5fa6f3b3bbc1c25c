package listener_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
)

// TestSlowloris: however a client drips, it is told so, and its connection is closed.
func TestSlowloris(t *testing.T) {
	for name, c := range map[string]struct {
		first, then string
		codes       []int
	}{
		"silent from the start":     {"", "", nil},
		"silent in the head":        {"GET / HT", "", []int{408}},
		"drips headers":             {"GET / HTTP/1.1\r\nHost: a\r\n", "X: a\r\n", []int{408}},
		"drips empty lines":         {"\r\n", "\r\n", nil},
		"silent after a request":    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "", []int{200}},
		"drips its second head":     {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET", "T", []int{200, 408}},
		"silent in a short body":    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhell", "", []int{408}},
		"drips a long body":         {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat("x", 9000), "x", []int{408}},
		"drips a chunked body":      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n", []int{408}},
		"silent after 100 go on":    {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n", "", []int{100, 408}},
		"drips trailers":            {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: a\r\n", []int{408}},
		"stops inside a chunk line": {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1", "", []int{408}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, addr := start(t, listener.Options{
				Serve: ok, HeaderTimeout: 300 * time.Millisecond, IdleTimeout: 300 * time.Millisecond,
				BodyTimeout: 300 * time.Millisecond, BodyRate: 10000,
			})
			cl := dial(t, addr)
			cl.send(c.first)
			over := make(chan struct{})
			dripped := make(chan struct{})
			go func() {
				defer close(dripped)
				for tick := time.NewTicker(20 * time.Millisecond); ; {
					select {
					case <-over:
						tick.Stop()
						return
					case <-tick.C:
						_, _ = io.WriteString(cl, c.then)
					}
				}
			}()
			raw, err := io.ReadAll(cl.in)
			close(over)
			<-dripped
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the connection stayed open")
			}
			if c.then == "" && err != nil {
				t.Errorf("the connection was not closed in order: %v", err)
			}
			if got := codesOf(string(raw)); !equal(got, c.codes) {
				t.Errorf("answers %v, want %v: %q", got, c.codes, raw)
			}
			for deadline := time.Now().Add(patient); s.Stats().Open > 0; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the connection is still held")
				}
			}
		})
	}
}

// codesOf finds the status lines in raw, which may be cut short.
func codesOf(raw string) (all []int) {
	for i := strings.Index(raw, "HTTP/1.1 "); i >= 0; i = strings.Index(raw, "HTTP/1.1 ") {
		raw = raw[i+9:]
		n := 0
		for _, c := range raw[:3] {
			n = n*10 + int(c-'0')
		}
		all = append(all, n)
	}
	return all
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// TestSlowButAlive: bodies and answers that take many times the timeouts go through while they progress.
func TestSlowButAlive(t *testing.T) {
	const pause, pieces = 40 * time.Millisecond, 20
	_, addr := start(t, listener.Options{
		Serve: ok, HeaderTimeout: 5 * pause, IdleTimeout: 5 * pause, BodyTimeout: 5 * pause, BodyRate: 100, WriteTimeout: 5 * pause,
	})
	c := dial(t, addr)
	c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000\r\n\r\n")
	for range pieces {
		time.Sleep(pause)
		c.send(strings.Repeat("x", 1000))
	}
	if resp, body := c.answer("POST"); resp.StatusCode != 200 || len(body) != len("POST / ")+20000 {
		t.Errorf("%d, %d bytes came back", resp.StatusCode, len(body))
	}
}

// zeros is an endless body.
type zeros struct{ closed chan struct{} }

func (z zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
func (z zeros) Close() error               { close(z.closed); return nil }

func TestReaderThatStops(t *testing.T) {
	z := zeros{make(chan struct{})}
	_, addr := start(t, listener.Options{WriteTimeout: 200 * time.Millisecond, Serve: func(x *exchange.Exchange) { x.StreamBody(z, -1) }})
	c := dial(t, addr)
	c.send(plain)
	await(t, z.closed)
}

func TestReaderThatIsSlow(t *testing.T) {
	const size = 32 << 20
	timeout := 300 * time.Millisecond
	_, addr := start(t, listener.Options{WriteTimeout: timeout, Serve: func(x *exchange.Exchange) {
		x.HTTP.Response.SetBodyRaw(make([]byte, size)) // one write that takes several timeouts
	}})
	c := dial(t, addr)
	_ = c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10)
	c.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	begin := time.Now()
	var got int64
	for time.Since(begin) < 4*timeout {
		n, err := io.CopyN(io.Discard, c.in, 128<<10)
		if got += n; err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
		time.Sleep(timeout / 20)
	}
	n, err := io.Copy(io.Discard, c.in)
	if got += n; err != nil || got < size {
		t.Errorf("%d bytes, %v", got, err)
	}
}

func TestTooManyConnections(t *testing.T) {
	for name, o := range map[string]listener.Options{"in all": {MaxConnections: 2}, "from one address": {MaxConnectionsPerIP: 2}} {
		t.Run(name, func(t *testing.T) {
			o.Serve = ok
			s, addr := start(t, o)
			first, second := dial(t, addr), dial(t, addr)
			for _, c := range []*client{first, second} {
				c.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				c.answer("GET")
			}
			resp, body := dial(t, addr).answer("GET")
			want := map[string]int{"in all": 503, "from one address": 429}[name]
			if resp.StatusCode != want || !strings.Contains(body, `"kind":"Status"`) || resp.Header.Get("Retry-After") == "" {
				t.Errorf("got %d %s", resp.StatusCode, body)
			}
			if got := s.Stats(); got.TooMany != 1 || got.Open != 2 || got.Accepted != 3 {
				t.Errorf("%+v", got)
			}
			first.send(plain)
			first.rest()
			for deadline := time.Now().Add(patient); s.Stats().Open > 1; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("a closed connection is still counted")
				}
			}
			third := dial(t, addr)
			third.send(plain)
			if resp, _ := third.answer("GET"); resp.StatusCode != 200 {
				t.Errorf("after one left: %d", resp.StatusCode)
			}
		})
	}
}
