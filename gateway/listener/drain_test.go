package listener_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
)

// events is a watch: its Read blocks until it is cancelled, as that of an upstream connection does.
type events struct {
	first  string
	cancel chan struct{}
}

func (e *events) Read(p []byte) (int, error) {
	if e.first != "" {
		n := copy(p, e.first)
		e.first = e.first[n:]
		return n, nil
	}
	<-e.cancel
	return 0, net.ErrClosed
}
func (e *events) Close() error { return nil }
func (e *events) Cancel()      { close(e.cancel) }

// drainable answers /watch with a watch, /slow when release is closed, /tunnel with an echo, all else at once.
func drainable(entered chan<- string, release <-chan struct{}) exchange.Handler {
	return func(x *exchange.Exchange) {
		path := string(x.HTTP.Path())
		switch path {
		case "/watch":
			e := &events{first: "one event\n", cancel: make(chan struct{})}
			x.Info.Verb = "watch"
			x.CancelOnGone(e)
			x.StreamBody(e, -1)
		case "/slow":
			entered <- path
			<-release
			x.HTTP.SetBodyString("done")
		case "/stuck":
			entered <- path
			<-x.Context().Done()
		case "/tunnel":
			x.Tunnel(func(c net.Conn) error {
				_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
				_, err := io.Copy(c, c)
				return err
			})
		}
	}
}

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" }

func TestDrain(t *testing.T) {
	entered, release := make(chan string, 1), make(chan struct{})
	s, addr := start(t, listener.Options{Serve: drainable(entered, release)})

	idle, fresh, slow, watch := dial(t, addr), dial(t, addr), dial(t, addr), dial(t, addr)
	idle.send(get("/"))
	idle.answer("GET")
	slow.send(get("/slow"))
	<-entered
	watch.send(get("/watch"))
	var head []byte
	for !strings.HasSuffix(string(head), "one event\n\r\n") {
		b, err := watch.in.ReadByte()
		if err != nil {
			t.Fatal(err)
		}
		head = append(head, b)
	}

	shut := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patient)
		defer cancel()
		shut <- s.Shutdown(ctx)
	}()
	if rest := idle.rest(); rest != "" {
		t.Errorf("idle: %q", rest)
	}
	if rest := fresh.rest(); rest != "" {
		t.Errorf("fresh: %q", rest)
	}
	if rest := watch.rest(); rest != "0\r\n\r\n" {
		t.Errorf("the watch ended with %q", rest)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		t.Error("a new connection was accepted")
		_ = c.Close()
	}
	select {
	case err := <-shut:
		t.Fatalf("Shutdown did not wait for the request in flight: %v", err)
	default:
	}
	close(release)
	if resp, body := slow.answer("GET"); body != "done" || !resp.Close {
		t.Errorf("in flight: %q, close %v", body, resp.Close)
	}
	if err := <-shut; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
}

func TestDrainEnds(t *testing.T) {
	entered := make(chan string, 1)
	s, addr := start(t, listener.Options{Serve: drainable(entered, nil)})
	stuck, tunnel := dial(t, addr), dial(t, addr)
	stuck.send(get("/stuck"))
	<-entered
	tunnel.send(get("/tunnel") + "x")
	if _, err := io.ReadFull(tunnel.in, make([]byte, len("HTTP/1.1 101 Switching Protocols\r\n\r\nx"))); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := s.Shutdown(ctx)
	if err == nil || !strings.Contains(err.Error(), "2 connections") || ctx.Err() == nil {
		t.Errorf("Shutdown: %v", err)
	}
	for _, c := range []*client{stuck, tunnel} {
		if b, err := io.ReadAll(c.in); len(b) > 0 {
			t.Errorf("broken off with %q, %v", b, err)
		}
	}
	if n := s.Stats().Open; n != 0 {
		t.Errorf("%d connections left", n)
	}
}

// TestDrainUnderLoad: whoever gets the beginning of an answer gets all of it.
func TestDrainUnderLoad(t *testing.T) {
	const clients = 40
	s, addr := start(t, listener.Options{Serve: ok})
	warm := make(chan struct{}, clients)
	ends := make(chan error, clients)
	for i := range clients {
		c := dial(t, addr)
		go func() {
			raw := get("/")
			if i%2 == 0 {
				raw = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
			}
			for n := 0; ; n++ {
				if n == 20 {
					warm <- struct{}{}
				}
				if _, err := io.WriteString(c, raw); err != nil {
					ends <- nil
					return
				}
				if _, err := c.in.Peek(1); err != nil { // closed between two requests
					ends <- nil
					return
				}
				resp, err := http.ReadResponse(c.in, nil)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
				}
				if err != nil || n < 20 && resp.Close {
					ends <- fmt.Errorf("answer %d broke off: %w", n, err)
					return
				}
			}
		}()
	}
	for range clients {
		<-warm
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for range clients {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}
