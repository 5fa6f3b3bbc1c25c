package filter

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/posternhq/postern/gateway/exchange"
)

type closer struct {
	io.Reader
	closed int
}

func (c *closer) Close() error { c.closed++; return nil }

func TestReadBody(t *testing.T) {
	for _, c := range []struct {
		name, body  string
		size, limit int
		ok          bool
	}{
		{"known length", "hello", 5, 5, true},
		{"chunks", "hello", -1, 5, true},
		{"too long", "hello", 5, 4, false},
		{"too long in chunks", "hello", -1, 4, false},
		{"empty", "", -1, 0, true},
	} {
		body := &closer{Reader: iotest.OneByteReader(strings.NewReader(c.body))}
		ended := 0
		ctx := request("/", func(x *exchange.Exchange) {
			x.OnEnd(func(*exchange.Exchange) { ended++ })
			x.StreamBody(body, c.size)
			got, ok := ReadBody(x, c.limit)
			if ok != c.ok || ok && string(got) != c.body {
				t.Errorf("%s: read %q, %v", c.name, got, ok)
			}
		})
		if ctx.Response.IsBodyStream() == c.ok {
			t.Errorf("%s: the answer is a stream: %v", c.name, !c.ok)
		}
		if got := string(ctx.Response.Body()); got != c.body {
			t.Errorf("%s: the client reads %q", c.name, got)
		}
		ctx.Response.Reset()
		if body.closed != 1 || ended != 1 {
			t.Errorf("%s: closed %d times, ended %d times", c.name, body.closed, ended)
		}
	}
}

func TestReadBodyOfOthers(t *testing.T) {
	broken := errors.New("broken")
	ctx := request("/", func(x *exchange.Exchange) {
		x.StreamBody(io.NopCloser(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))), -1)
		if _, ok := ReadBody(x, 100); ok {
			t.Error("a broken body is taken for a whole one")
		}
	})
	if b, err := io.ReadAll(ctx.Response.BodyStream()); string(b) != "half" || !errors.Is(err, broken) {
		t.Errorf("the client reads %q, %v", b, err)
	}
	ctx.Response.Reset()
	ctx = request("/", func(x *exchange.Exchange) {
		x.Info.IsResourceRequest, x.Info.IsKubernetesRequest, x.Info.Verb = true, true, "watch"
		x.StreamBody(io.NopCloser(iotest.ErrReader(errors.New("read"))), -1)
		if _, ok := ReadBody(x, 100); ok {
			t.Error("a watch was read")
		}
	})
	ctx.Response.Reset()
	request("/", func(x *exchange.Exchange) {
		x.HTTP.Response.SetBodyString("hello")
		if b, ok := ReadBody(x, 5); !ok || string(b) != "hello" {
			t.Errorf("read %q, %v", b, ok)
		}
		if _, ok := ReadBody(x, 4); ok {
			t.Error("the limit does not hold for buffered bodies")
		}
	})
}
