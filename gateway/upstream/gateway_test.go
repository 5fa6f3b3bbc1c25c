package upstream

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
)

func TestMain(m *testing.M) {
	// Of fasthttp's own: the clock of the Date header lives as long as the process, and a stopped server's pool of
	// workers sleeps for another 10 s.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// gateway is a server whose every request is forwarded.
type gateway struct {
	addr string
	pool *Pool
	peer *exchange.Peer // of all its clients
	ends chan exchanged // what became of each exchange
	req  Request        // how they are forwarded
	lean bool           // nothing is noted: for counting allocations
	own  sync.Map       // the peers of clients that have one of their own, by address
}

type exchanged struct {
	err     error // Forward's
	reason  string
	written int64
}

// newGateway starts a gateway to addr on loopback.
func newGateway(t testing.TB, opt Options, req Request) *gateway {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{addr: l.Addr().String(), pool: New(opt), peer: new(exchange.Peer), req: req, ends: make(chan exchanged, 4096)}
	srv := &fasthttp.Server{
		StreamRequestBody: true, DisableHeaderNamesNormalizing: true, DisablePreParseMultipartForm: true,
		NoDefaultServerHeader: true, NoDefaultDate: true, NoDefaultContentType: true, ReadBufferSize: 16 << 10,
		MaxRequestBodySize: 1 << 30, CloseOnShutdown: true,
		Logger: discard{},
	}
	serve := g.serve
	srv.Handler = func(ctx *fasthttp.RequestCtx) { exchange.Run(ctx, g.peerOf(ctx), time.Now(), serve) }
	done := make(chan struct{})
	go func() { _ = srv.Serve(l); close(done) }()
	t.Cleanup(func() {
		g.pool.Close()
		_ = srv.Shutdown()
		<-done
		if o := g.pool.Stats().Open; o != 0 {
			t.Errorf("%d connections are still counted after Close", o)
		}
	})
	return g
}

func (g *gateway) peerOf(ctx *fasthttp.RequestCtx) *exchange.Peer {
	if g.lean {
		return g.peer
	}
	if p, ok := g.own.Load(ctx.RemoteAddr().String()); ok {
		return p.(*exchange.Peer)
	}
	return g.peer
}

type discard struct{}

func (discard) Printf(string, ...any) {}

func (g *gateway) serve(x *exchange.Exchange) {
	if g.lean {
		if err := g.pool.Forward(x, g.req); err != nil {
			panic(err)
		}
		return
	}
	var end exchanged
	x.OnEnd(func(x *exchange.Exchange) {
		end.reason, end.written = x.Reason, x.Written
		g.ends <- end
	})
	if end.err = g.pool.Forward(x, g.req); end.err != nil {
		x.HTTP.Response.SetStatusCode(502)
		x.HTTP.Response.SetBodyString(end.err.Error())
	}
}

// end waits for an exchange's end.
func (g *gateway) end(t testing.TB) exchanged {
	t.Helper()
	select {
	case e := <-g.ends:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("the exchange does not end")
		return exchanged{}
	}
}

// dial connects to the gateway.
func (g *gateway) dial(t testing.TB) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c.(*net.TCPConn)
}

// raw sends bytes to the gateway and returns all that comes until it closes.
func (g *gateway) raw(t testing.TB, request string) string {
	t.Helper()
	c := g.dial(t)
	_, _ = io.WriteString(c, request)
	b, _ := io.ReadAll(c)
	return string(b)
}

// target is a scripted server: script gets each connection, numbered from 0.
type target struct {
	addr string
	wg   sync.WaitGroup
}

func newTarget(t testing.TB, script func(n int, c *net.TCPConn, r *bufio.Reader)) *target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &target{addr: l.Addr().String()}
	s.wg.Add(1)
	go func() {
		defer s.wg.Done()
		for n := 0; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.wg.Add(1)
			go func() {
				defer s.wg.Done()
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(30 * time.Second))
				script(n, c.(*net.TCPConn), bufio.NewReader(c))
			}()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); s.wg.Wait() })
	return s
}

// readHead reads a request head as text.
func readHead(r *bufio.Reader) (string, error) {
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		b.WriteString(line)
		if err != nil || line == "\r\n" {
			return b.String(), err
		}
	}
}

// answer makes a script that answers every request of a connection with the same bytes, then closes if asked.
func answer(response string, andClose bool) func(int, *net.TCPConn, *bufio.Reader) {
	return func(_ int, c *net.TCPConn, r *bufio.Reader) {
		for {
			if _, err := readHead(r); err != nil {
				return
			}
			if _, err := io.WriteString(c, response); err != nil || andClose {
				return
			}
		}
	}
}

// get asks the gateway as net/http does.
func (g *gateway) get(t testing.TB, path string) (*http.Response, string, error) {
	t.Helper()
	tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr, Timeout: 30 * time.Second}).Get("http://" + g.addr + path)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp, string(b), err
}

// kindOf is the kind of a Forward error.
func kindOf(err error) string {
	var e *Error
	if !errors.As(err, &e) {
		return "none"
	}
	return e.Kind.String()
}
