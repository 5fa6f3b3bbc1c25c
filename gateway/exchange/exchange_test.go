package exchange

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// closes counts how often it was closed.
type closes struct {
	io.Reader
	n int
}

func (c *closes) Close() error { c.n++; return nil }

func TestRunEndsOnce(t *testing.T) {
	ended := 0
	Run(new(fasthttp.RequestCtx), nil, time.Now(), func(x *Exchange) {
		x.OnEnd(func(*Exchange) { ended++ })
	})
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
}

func TestBodyEndsTheExchange(t *testing.T) {
	ctx, ended, written := new(fasthttp.RequestCtx), 0, int64(0)
	body := &closes{Reader: bytes.NewReader([]byte("hello"))}
	Run(ctx, nil, time.Now(), func(x *Exchange) {
		x.OnEnd(func(x *Exchange) { ended++; written = x.Written })
		x.StreamBody(body, -1)
	})
	if ended != 0 {
		t.Fatal("ended before its body")
	}
	if got := string(ctx.Response.Body()); got != "hello" {
		t.Errorf("got %q", got)
	}
	ctx.Response.Reset()
	if ended != 1 || body.n != 1 || written != 5 {
		t.Errorf("ended %d times, closed %d times, %d bytes", ended, body.n, written)
	}
}

// TestBodyReplaced has an error take the place of a body within the handler: the exchange ends with the handler.
func TestBodyReplaced(t *testing.T) {
	ctx, ended := new(fasthttp.RequestCtx), 0
	body := &closes{Reader: bytes.NewReader(nil)}
	Run(ctx, nil, time.Now(), func(x *Exchange) {
		x.OnEnd(func(*Exchange) { ended++ })
		x.StreamBody(body, -1)
		ctx.Response.ResetBody()
		if ended != 0 {
			t.Error("ended while its handler ran")
		}
	})
	if ended != 1 || body.n != 1 {
		t.Errorf("ended %d times, closed %d times", ended, body.n)
	}
}

type counter int

func (c *counter) Cancel() { *c++ }

func TestPeerCancelsOnce(t *testing.T) {
	var before, during, after counter
	peer := new(Peer)
	Run(new(fasthttp.RequestCtx), peer, time.Now(), func(x *Exchange) { x.CancelOnGone(&before) })
	Run(new(fasthttp.RequestCtx), peer, time.Now(), func(x *Exchange) {
		x.CancelOnGone(&during)
		peer.Hangup()
		peer.Hangup()
	})
	Run(new(fasthttp.RequestCtx), peer, time.Now(), func(x *Exchange) {
		if x.Context().Err() == nil {
			t.Error("a context made after the client has left is not cancelled")
		}
		x.CancelOnGone(&after)
	})
	if before != 0 || during != 1 || after != 1 {
		t.Errorf("cancelled %d, %d, %d times; want 0, 1, 1", before, during, after)
	}
}

func TestInfoCloneOwnsItsStrings(t *testing.T) {
	buf := []byte("pods")
	info := RequestInfo{Resource: alias(buf)}
	clone := info.Clone()
	copy(buf, "xxxx")
	if clone.Resource != "pods" {
		t.Errorf("the clone changed to %q", clone.Resource)
	}
}
