//go:build !race

package listener_test

import (
	"context"
	"io"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
	"github.com/valyala/fasthttp/fasthttputil"
)

// TestAllocations: the listener allocates for ids only, once for eight requests. The in-memory connection copies what is
// written to it, which costs an allocation a request of its own at times, so the ceiling is below one for both.
func TestAllocations(t *testing.T) {
	s, err := listener.New(listener.Options{Serve: func(x *exchange.Exchange) { x.HTTP.SetBodyString("ok") }})
	if err != nil {
		t.Fatal(err)
	}
	ln := fasthttputil.NewInmemoryListener()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	c, err := ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	request := []byte("GET /api/v1/namespaces/default/pods?limit=500 HTTP/1.1\r\nHost: localhost:6443\r\nUser-Agent: kubectl\r\n" +
		"Accept: application/json\r\nAuthorization: Bearer aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n")
	answer := make([]byte, 4096)
	n := testing.AllocsPerRun(2000, func() {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(answer); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	})
	if n >= 1 {
		t.Errorf("%v allocations per request", n)
	}
	_ = c.Close()
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
