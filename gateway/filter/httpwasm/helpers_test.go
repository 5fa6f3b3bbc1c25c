package httpwasm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/listener"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/gateway/upstream"
)

// script is the guest of testdata/script.c: its configuration says what it does.
const script = "testdata/script.wasm"

// options are settings beyond file and config.
type options map[string]any

// newEngine starts a runtime that ends with the test.
func newEngine(t testing.TB) *module.Engine {
	t.Helper()
	engine, err := module.NewEngine(context.Background(), module.Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// environment is what filters of the test are made with. log gets their lines.
func environment(engine *module.Engine, log io.Writer) filter.Env {
	return filter.Env{
		Name: "test", Before: filter.BeforeDispatch, Log: zerolog.New(log), Runtime: engine,
		Event: func(string) prometheus.Counter { return prometheus.NewCounter(prometheus.CounterOpts{Name: "x"}) },
		Reread: func(x *exchange.Exchange) bool {
			if err := requestinfo.Fill(x); err != nil {
				status.Write(x, status.BadRequest, err.Error())
				return false
			}
			return true
		},
	}
}

func settingsOf(t testing.TB, file, config string, more options) json.RawMessage {
	t.Helper()
	all := map[string]any{"file": file, "config": config}
	maps.Copy(all, more)
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// make makes a filter that ends with the test.
func makeFilter(t testing.TB, file, config string, more options) *Filter {
	t.Helper()
	made, err := open(settingsOf(t, file, config, more), environment(newEngine(t), io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Close(); err != nil {
			t.Error(err)
		}
	})
	return made.(*Filter)
}

// serve puts f in front of next, behind a listener on loopback, and is its address.
func serve(t testing.TB, f *Filter, next exchange.Handler) string {
	t.Helper()
	stage := requestinfo.New()
	server, err := listener.New(listener.Options{
		Logger: zerolog.Nop(),
		Serve: func(x *exchange.Exchange) {
			stage.Serve(x, func(x *exchange.Exchange) { f.Serve(x, next) })
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := listener.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ln) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return "http://" + ln.Addr().String()
}

// proxy passes exchanges to backend as the gateway's own proxy does.
func proxy(t testing.TB, backend http.Handler) exchange.Handler {
	t.Helper()
	server := httptest.NewServer(backend)
	addr := server.Listener.Addr().String()
	pool := upstream.New(upstream.Options{Addr: addr, Host: addr})
	t.Cleanup(func() {
		pool.Close()
		server.Close()
	})
	return func(x *exchange.Exchange) {
		err := pool.Forward(x, upstream.Request{LongRunning: x.Info.LongRunning(), Upgrades: []string{"websocket"}})
		if err != nil {
			status.Write(x, status.BadGateway, err.Error())
		}
	}
}

// echo answers with what it was asked: a line each of method, URI, headers that begin with X- or are Host, body, trailers.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("X-Backend", "echo")
	w.Header().Add("X-Twice", "1")
	w.Header().Add("X-Twice", "2")
	fmt.Fprintf(w, "%s %s\n", r.Method, r.RequestURI)
	for _, name := range []string{"X-A", "X-B", "X-Rid", "Impersonate-User", "X-Remote-User", "Content-Type", "User-Agent"} {
		if v := r.Header.Values(name); len(v) > 0 {
			fmt.Fprintf(w, "%s=%s\n", name, strings.Join(v, "|"))
		}
	}
	fmt.Fprintf(w, "body=%s\n", body)
	for name, v := range r.Trailer {
		fmt.Fprintf(w, "trailer %s=%s\n", name, strings.Join(v, "|"))
	}
})

// front is a filter with the script in front of the echo backend.
func front(t testing.TB, lines string, more options) string {
	t.Helper()
	return serve(t, makeFilter(t, script, lines, more), proxy(t, echo))
}

// answer is what a client got.
type answer struct {
	code    int
	header  http.Header
	trailer http.Header
	body    string
}

// ask sends a request; the head's pairs are headers.
func ask(t testing.TB, method, url, body string, head ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("User-Agent", "test")
	for i := 0; i < len(head); i += 2 {
		r.Header.Add(head[i], head[i+1])
	}
	return do(t, r)
}

func do(t testing.TB, r *http.Request) answer {
	t.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("body breaks off after %q: %v", got, err)
	}
	return answer{resp.StatusCode, resp.Header, resp.Trailer, string(got)}
}

// place copies a file over another, as a deployment does: beside it, then by a rename.
func place(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(filepath.Dir(to), ".new")
	if err := os.WriteFile(beside, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(beside, to); err != nil {
		t.Fatal(err)
	}
}

// lines gathers log lines from any goroutine.
type lines struct {
	ch chan string
}

func newLines() *lines { return &lines{make(chan string, 1024)} }

func (l *lines) Write(p []byte) (int, error) {
	l.ch <- string(bytes.TrimSpace(p))
	return len(p), nil
}

// await waits for a line that has text.
func (l *lines) await(t testing.TB, text string) string {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case line := <-l.ch:
			if strings.Contains(line, text) {
				return line
			}
		case <-limit:
			t.Fatalf("no line with %q", text)
		}
	}
}
