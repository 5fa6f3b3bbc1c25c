package module

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// forwarding answers what is forwarded as f says.
type forwarding func(x *exchange.Exchange) service.Result

func (f forwarding) Forward(x *exchange.Exchange, _ *service.Call) service.Result { return f(x) }

// served makes a handler of a native program.
func served(e *Engine, p Policy, program Program) exchange.Handler {
	about := &manifest.Manifest{Name: "native", Version: "1", Serves: []manifest.Serve{{Group: "test.postern.io"}}}
	return func(x *exchange.Exchange) { e.ServeNative(x, about, p, program) }
}

const uri = "/kapis/test.postern.io/v1/x"

// echo names the backend that a forward goes to.
var echo = hostabi.Record(nil).Append(hostabi.TagBackend, "echo").Append(hostabi.TagPath, "/")

// TestForwardedExchangeIsTheForwardersAlone has a guest use an exchange while a backend answers it: -race must stay silent,
// and the guest must be told that it is not its own.
func TestForwardedExchangeIsTheForwardersAlone(t *testing.T) {
	begun, looked := make(chan struct{}), make(chan struct{})
	e := engine(t, Services{Forward: forwarding(func(x *exchange.Exchange) service.Result {
		close(begun)
		<-looked
		x.HTTP.Response.SetStatusCode(201)
		x.HTTP.Request.Header.Set("X-Changed", "1")
		return service.Result{Status: 201}
	})})
	program := func(_ context.Context, host hostabi.Native, ex uint32) {
		token := host.Invoke(hostabi.ModuleHTTP, "forward", ex, []byte(echo))
		<-begun
		buf := make([]byte, 64)
		for function, args := range map[string][]any{
			"request_field":  {ex, uint32(hostabi.FieldMethod), buf},
			"request_header": {ex, "X-Changed", buf},
			"response_write": {ex, []byte("late")},
		} {
			if code := host.Invoke(hostabi.ModuleCore, function, args...); code != -int64(hostabi.Gone) {
				t.Errorf("%s while it is forwarded: %d", function, code)
			}
		}
		body := host.Invoke(hostabi.ModuleCore, "request_body", ex)
		if c := host.Wait(uint32(body)); c.Code != hostabi.Busy {
			t.Errorf("request_body while it is forwarded: %v", c.Code)
		}
		close(looked)
		if c := host.Wait(uint32(token)); c.Code != hostabi.OK {
			t.Errorf("forward ended with %v", c.Code)
		}
	}
	if code, body := ask(t, uri, served(e, granted(), program)); code != 201 || body != "" {
		t.Errorf("got %d %q", code, body)
	}
}

// TestFailedForwardGivesTheExchangeBack has a backend refuse: the guest goes on with the exchange and answers itself.
func TestFailedForwardGivesTheExchangeBack(t *testing.T) {
	e := engine(t, Services{Forward: forwarding(func(*exchange.Exchange) service.Result {
		return service.Failf(hostabi.Unavailable, "no backend")
	})})
	program := func(_ context.Context, host hostabi.Native, ex uint32) {
		token := host.Invoke(hostabi.ModuleHTTP, "forward", ex, []byte(echo))
		if c := host.Wait(uint32(token)); c.Code != hostabi.Unavailable {
			t.Errorf("forward ended with %v", c.Code)
		}
		host.Invoke(hostabi.ModuleCore, "response_write", ex, []byte("plan B"))
		host.Invoke(hostabi.ModuleCore, "response_end", ex)
	}
	if code, body := ask(t, uri, served(e, granted(), program)); code != 200 || body != "plan B" {
		t.Errorf("got %d %q", code, body)
	}
}

// TestPanicWhileForwarding leaves nothing behind: no lock held, no call under way.
func TestPanicWhileForwarding(t *testing.T) {
	e := engine(t, Services{Forward: forwarding(func(*exchange.Exchange) service.Result { panic("backend") })})
	g := load(t, e, build(t, "testdata/mischief"), granted())
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.SetRequestURI("/kapis/test.postern.io/v1/forward/x")
	ended := false
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.Info.Path = string(ctx.Path())
		defer func() { ended = recover() == "backend" }() // the listener's part
		g.Serve(x)
	})
	if !ended || g.calls.Load() != 0 || len(g.admit) != 0 {
		t.Errorf("panicked: %v, %d calls, %d requests", ended, g.calls.Load(), len(g.admit))
	}
	if code, body := ask(t, "/kapis/test.postern.io/v1/ok", g.Serve); code != 200 {
		t.Errorf("the next one: %d %s", code, body)
	}
}

// TestNativePanic costs the exchange and not the process.
func TestNativePanic(t *testing.T) {
	program := func(context.Context, hostabi.Native, uint32) { panic("mischief") }
	code, body := ask(t, uri, served(engine(t, Services{}), granted(), program))
	if code != 502 || !strings.Contains(body, "mischief") {
		t.Errorf("got %d %s", code, body)
	}
}

// TestNativeExchangesHaveNumbersOfTheirOwn has many run at once.
func TestNativeExchangesHaveNumbersOfTheirOwn(t *testing.T) {
	var mu sync.Mutex
	numbers := map[uint32]bool{}
	var together sync.WaitGroup
	together.Add(20)
	e := engine(t, Services{})
	handler := served(e, granted(), func(_ context.Context, host hostabi.Native, ex uint32) {
		mu.Lock()
		numbers[ex] = true
		mu.Unlock()
		together.Done()
		together.Wait()
		host.Invoke(hostabi.ModuleCore, "response_end", ex)
	})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { ask(t, uri, handler) })
	}
	all.Wait()
	if len(numbers) != 20 {
		t.Errorf("%d numbers for 20 exchanges", len(numbers))
	}
}

// TestAnswerOfBytes has a guest write byte by byte, and splice tiny handles: the list of parts stays short.
func TestAnswerOfBytes(t *testing.T) {
	a := &answer{status: 200, most: 1 << 20}
	tiny, large := []byte("ab"), []byte(strings.Repeat("L", minSplice))
	var want strings.Builder
	for n := range 20_000 {
		a.write([]byte{'w'})
		a.splice(tiny)
		a.write(nil)
		want.WriteString("wab")
		if n%1000 == 0 {
			a.splice(large)
			want.Write(large)
		}
	}
	if len(a.parts) > 60 {
		t.Errorf("%d parts", len(a.parts))
	}
	got, err := io.ReadAll(a.reader())
	if err != nil || string(got) != want.String() || a.size != int64(want.Len()) {
		t.Errorf("%d bytes, size %d, want %d: %v", len(got), a.size, want.Len(), err)
	}
	if string(large) != strings.Repeat("L", minSplice) || string(tiny) != "ab" {
		t.Error("a handle was written to")
	}
	if a.most = a.size; a.write(tiny) != hostabi.TooLarge || a.splice(large) != hostabi.TooLarge {
		t.Error("more than the limit passes")
	}
}

// TestErrorsAreBounded has a guest make call after call that fails.
func TestErrorsAreBounded(t *testing.T) {
	var kept int
	program := func(_ context.Context, host hostabi.Native, ex uint32) {
		buf := make([]byte, 256)
		for range 3 * maxErrors {
			token := uint32(host.Invoke(hostabi.ModulePrometheus, "call", ex, []byte(echo)))
			if c := host.Wait(token); c.Code == hostabi.OK {
				t.Errorf("got %v", c.Code)
			}
			if host.Invoke(hostabi.ModuleCore, "error_of", ex, token, buf) > 0 {
				kept++
			}
		}
		host.Invoke(hostabi.ModuleCore, "response_end", ex)
	}
	ask(t, uri, served(engine(t, Services{}), granted(), program))
	if kept != maxErrors {
		t.Errorf("%d texts kept, want %d", kept, maxErrors)
	}
}

// TestBodies sends bodies over a real connection.
func TestBodies(t *testing.T) {
	p := granted()
	p.Limits.RequestBytes, p.Limits.Deadline = 10_000, 300*time.Millisecond
	g := load(t, engine(t, Services{}), build(t, "testdata/mischief"), p)
	address := listen(t, g.Serve)
	for _, c := range []struct {
		name, head, body string
		code             int
		answer           string
	}{
		{"small", "Content-Length: 5", "hello", 200, "hello"},
		{"chunked", "Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n", 200, "hello"},
		{"at the limit", "Content-Length: 10000", strings.Repeat("x", 10_000), 200, strings.Repeat("x", 10_000)},
		{"over the limit", "Content-Length: 10001", strings.Repeat("x", 10_001), 413, "10000 bytes"},
		{"stalled", "Content-Length: 9900", strings.Repeat("x", 9_000), 504, "in time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, answer := post(t, address, c.head, c.body)
			if code != c.code || !strings.Contains(answer, c.answer) {
				t.Errorf("got %d %.200s", code, answer)
			}
		})
	}
	eventually(t, "no call is under way", func() bool { return g.calls.Load() == 0 })
}

// listen serves handler behind a real listener; its address.
func listen(t *testing.T, handler exchange.Handler) string {
	t.Helper()
	server, err := listener.New(listener.Options{Logger: zerolog.Nop(), Serve: func(x *exchange.Exchange) {
		x.Info.Path, x.Info.Verb = string(x.HTTP.Path()), "create"
		handler(x)
	}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listener.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := server.Serve(ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		serving.Wait()
	})
	return ln.Addr().String()
}

// post sends a request as it stands and reads the answer.
func post(t *testing.T, address, head, body string) (int, string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, err = fmt.Fprintf(c, "POST /kapis/test.postern.io/v1/body HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n%s", head, body)
	if err != nil {
		t.Fatal(err)
	}
	var resp fasthttp.Response
	if err := resp.Read(bufio.NewReader(c)); err != nil && !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return resp.StatusCode(), string(resp.Body())
}
