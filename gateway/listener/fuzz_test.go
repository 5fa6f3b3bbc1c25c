package listener_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
)

// oneShot is a listener that hands out one end of a pipe for each connection asked for.
type oneShot struct {
	conns chan net.Conn
	once  sync.Once
	over  chan struct{}
}

func newOneShot() *oneShot { return &oneShot{conns: make(chan net.Conn), over: make(chan struct{})} }

func (l *oneShot) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}
func (l *oneShot) Close() error   { l.once.Do(func() { close(l.over) }); return nil }
func (l *oneShot) Addr() net.Addr { return &net.UnixAddr{} }

// eofConn is a server's end of a connection whose client has sent raw and closed its sending side.
type eofConn struct {
	net.Conn // nil: what is not overridden must not be used
	in       *bytes.Reader
	piece    int // most bytes a Read returns
	out      bytes.Buffer
	closed   chan struct{}
	once     sync.Once
}

func (c *eofConn) Read(p []byte) (int, error)       { return c.in.Read(p[:min(len(p), c.piece)]) }
func (c *eofConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *eofConn) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *eofConn) SetDeadline(time.Time) error      { return nil }
func (c *eofConn) SetReadDeadline(time.Time) error  { return nil }
func (c *eofConn) SetWriteDeadline(time.Time) error { return nil }
func (c *eofConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *eofConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }

// seen is a request as a server understood it.
type seen struct {
	method, uri, host, body string
	whole                   bool // the body was read to its end
}

// fuzzServer serves connections and notes what arrives.
type fuzzServer struct {
	ln  *oneShot
	mu  sync.Mutex
	got []seen
}

func (f *fuzzServer) serve(x *exchange.Exchange) {
	h := &x.HTTP.Request.Header
	r := seen{method: string(h.Method()), uri: string(h.RequestURI()), host: string(h.Host())}
	body, err := readBody(x)
	r.body, r.whole = string(body), err == nil
	f.mu.Lock()
	f.got = append(f.got, r)
	f.mu.Unlock()
}

// run has raw served in pieces, and returns the requests seen and what was answered.
func (f *fuzzServer) run(raw []byte, piece int) ([]seen, []byte) {
	f.got = nil
	c := &eofConn{in: bytes.NewReader(raw), piece: piece, closed: make(chan struct{})}
	f.ln.conns <- c
	<-c.closed
	return f.got, c.out.Bytes()
}

// oracle reads raw as net/http does.
func oracle(raw []byte) (all []seen) {
	in := bufio.NewReaderSize(bytes.NewReader(raw), 64*1024)
	for {
		for b, _ := in.Peek(2); string(b) == "\r\n"; b, _ = in.Peek(2) {
			_, _ = in.Discard(2) // RFC 9112, section 2.2; net/http does not do it
		}
		req, err := http.ReadRequest(in)
		if err != nil {
			return all
		}
		body, err := io.ReadAll(req.Body)
		all = append(all, seen{req.Method, req.RequestURI, req.Host, string(body), err == nil})
		if err != nil || req.Close {
			return all
		}
	}
}

// FuzzFraming holds the listener against net/http: of every connection it understands the same requests, or fewer,
// never others and never more; and it understands the same however the bytes are cut.
func FuzzFraming(f *testing.F) {
	for _, c := range strictCases {
		f.Add([]byte(c.raw), uint16(3))
	}
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n"), uint16(7))
	s := startFuzz(f)
	f.Fuzz(func(t *testing.T, raw []byte, piece uint16) {
		if len(raw) > 16*1024 || bytes.Contains(bytes.ToLower(raw), []byte("expect")) {
			return // beyond the limit, and a dialogue that one side alone cannot lead
		}
		want := oracle(raw)
		got, answered := s.run(raw, 1<<20)
		if bad := disagree(got, want); bad != nil {
			t.Fatalf("%v\nlistener %+v\nnet/http %+v\nanswers %q", bad, got, want, answered)
		}
		if again, _ := s.run(raw, 1+int(piece)); !slices.Equal(whole(got), whole(again)) {
			t.Fatalf("cut into %d:\n%+v\nin one piece:\n%+v", 1+int(piece), again, got)
		}
	})
}

func startFuzz(f *testing.F) *fuzzServer {
	fs := &fuzzServer{ln: newOneShot()}
	s, err := listener.New(listener.Options{Serve: fs.serve})
	if err != nil {
		f.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(fs.ln) }()
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := errors.Join(s.Shutdown(ctx), <-served); err != nil {
			f.Error(err)
		}
	})
	return fs
}

// whole is the requests of all that arrived to their end.
func whole(all []seen) (some []seen) {
	for _, r := range all {
		if r.whole {
			some = append(some, r)
		}
	}
	return some
}

// disagree says where got has a whole request that want has not at the same place.
func disagree(got, want []seen) error {
	for i, g := range got {
		if !g.whole {
			continue
		}
		if _, err := url.ParseRequestURI(g.uri); err != nil {
			return nil // the rest is request info's to judge; net/http stops here
		}
		if i >= len(want) {
			return fmt.Errorf("request %d is not one for net/http", i)
		}
		w := want[i]
		if g.method != w.method || g.uri != w.uri || g.body != w.body || !w.whole {
			return fmt.Errorf("request %d differs", i)
		}
		if !strings.EqualFold(g.host, w.host) {
			return fmt.Errorf("request %d is for another host", i)
		}
	}
	return nil
}
