package listener_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	// fasthttp keeps the Date header's clock going for ever, by design.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// patient is how long tests wait for what must happen; no test takes that long when it passes.
const patient = 20 * time.Second

// start serves o on loopback until the test ends, and returns the server and its address.
func start(t testing.TB, o listener.Options) (*listener.Server, string) {
	t.Helper()
	s, err := listener.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listener.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s, ln.Addr().String()
}

// ok answers 200 with the method, the URI and the body, or 400 when the body cannot be read.
func ok(x *exchange.Exchange) {
	body, err := readBody(x)
	if err != nil {
		x.HTTP.SetStatusCode(400)
		x.HTTP.SetBodyString("unreadable")
		return
	}
	x.HTTP.SetBodyString(string(x.HTTP.Method()) + " " + string(x.HTTP.Request.Header.RequestURI()) + " " + string(body))
}

func readBody(x *exchange.Exchange) ([]byte, error) {
	if s := x.HTTP.RequestBodyStream(); s != nil {
		return io.ReadAll(s)
	}
	return nil, nil
}

// client is one raw connection.
type client struct {
	net.Conn
	t  testing.TB
	in *bufio.Reader
}

func dial(t testing.TB, addr string) *client {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return wrap(t, c)
}

func dialTLS(t testing.TB, addr string, config *tls.Config) *client {
	t.Helper()
	c, err := tls.Dial("tcp", addr, config)
	if err != nil {
		t.Fatal(err)
	}
	return wrap(t, c)
}

func wrap(t testing.TB, c net.Conn) *client {
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patient))
	return &client{Conn: c, t: t, in: bufio.NewReader(c)}
}

func (c *client) send(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c, raw); err != nil {
		c.t.Fatalf("cannot send %.60q: %v", raw, err)
	}
}

// answer reads one response.
func (c *client) answer(method string) (*http.Response, string) {
	c.t.Helper()
	resp, err := http.ReadResponse(c.in, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("cannot read an answer: %v", err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("cannot read the body of %s: %v", resp.Status, err)
	}
	return resp, string(body)
}

// rest reads until the server closes the connection.
func (c *client) rest() string {
	c.t.Helper()
	b, err := io.ReadAll(c.in)
	if err != nil {
		c.t.Fatalf("the connection was not closed in order: %v (got %q)", err, b)
	}
	return string(b)
}

// upstream is a TCP server behind a trivial handler. It records what it sees byte by byte.
type upstream struct {
	ln  net.Listener
	mu  sync.Mutex
	raw []string
}

func newUpstream(t testing.TB) *upstream {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &upstream{ln: ln}
	t.Cleanup(func() { _ = ln.Close() })
	return u
}

// forward is the trivial handler: it writes the request to a connection of its own, and answers 200 when all of it has
// arrived there.
func (u *upstream) forward(x *exchange.Exchange) {
	out, err := net.Dial("tcp", u.ln.Addr().String())
	if err != nil {
		x.HTTP.SetStatusCode(502)
		return
	}
	in, err := u.ln.Accept()
	if err != nil {
		x.HTTP.SetStatusCode(502)
		return
	}
	defer in.Close()
	written := make(chan error, 1)
	go func() {
		defer out.Close()
		written <- writeRequest(out, x)
	}()
	raw, _ := io.ReadAll(in)
	if err := <-written; err != nil {
		x.HTTP.SetStatusCode(400)
		return
	}
	u.mu.Lock()
	u.raw = append(u.raw, string(raw))
	u.mu.Unlock()
	x.HTTP.SetStatusCode(200)
}

// writeRequest writes the request line and headers as they came, and the body in one chunk if it was chunked.
func writeRequest(w io.Writer, x *exchange.Exchange) error {
	h := &x.HTTP.Request.Header
	head := string(h.Method()) + " " + string(h.RequestURI()) + " HTTP/1.1\r\n" + strings.TrimSuffix(string(h.RawHeaders()), "\r\n") + "\r\n"
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	body, err := readBody(x)
	if err != nil {
		return err
	}
	if h.ContentLength() >= 0 || h.ContentLength() == -2 {
		_, err = w.Write(body)
		return err
	}
	if len(body) > 0 {
		_, _ = fmt.Fprintf(w, "%x\r\n%s\r\n", len(body), body)
	}
	_, err = io.WriteString(w, "0\r\n"+strings.TrimSuffix(string(h.TrailerHeader()), "\r\n")+"\r\n")
	return err
}

func (u *upstream) saw() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]string(nil), u.raw...)
}

// codes are the status codes of the responses in raw.
func codes(t testing.TB, raw string) (all []int) {
	t.Helper()
	in := bufio.NewReader(strings.NewReader(raw))
	for {
		if _, err := in.Peek(1); err == io.EOF {
			return all
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatalf("cannot read the answers %q: %v", raw, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("cannot read the answers %q: %v", raw, err)
		}
		if resp.Header.Get("X-Request-Id") == "" {
			t.Errorf("answer %s without a request id", resp.Status)
		}
		all = append(all, resp.StatusCode)
	}
}
