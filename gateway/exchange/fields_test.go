package exchange

import (
	"bufio"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
)

// TestHeaderLines has a stage change headers: until it says so, backends get the bytes that were received.
func TestHeaderLines(t *testing.T) {
	const received = "hOST: a\r\nx-one:  1\r\nX-One: 2\r\nCookie: a=b\r\n\r\n"
	ctx := new(fasthttp.RequestCtx)
	if err := ctx.Request.Read(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\n" + received))); err != nil {
		t.Fatal(err)
	}
	x := &Exchange{HTTP: ctx}
	ctx.Request.Header.Del("X-One")
	ctx.Request.Header.Add("X-Two", "3")
	if got := string(x.HeaderLines()); got != received {
		t.Errorf("before the change is told: %q", got)
	}
	x.HeadersChanged()
	if got := string(x.HeaderLines()); got != "Host: a\r\nCookie: a=b\r\nX-Two: 3\r\n\r\n" {
		t.Errorf("after it: %q", got)
	}
	if n := testing.AllocsPerRun(100, func() { x.HeaderLines() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
