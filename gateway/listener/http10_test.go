package listener_test

import (
	"io"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
)

func TestHTTP10(t *testing.T) {
	ended := make(chan int, 1)
	_, addr := start(t, listener.Options{Serve: func(x *exchange.Exchange) {
		x.OnEnd(func(x *exchange.Exchange) { ended <- x.HTTP.Response.StatusCode() })
		x.Info.IsResourceRequest, x.Info.IsKubernetesRequest = true, true
		body, size := "streamed", -1
		switch string(x.HTTP.Path()) {
		case "/watch":
			x.Info.Verb = "watch"
		case "/long":
			body = strings.Repeat("x", 2<<20)
		case "/known":
			size = len(body)
		}
		x.StreamBody(io.NopCloser(strings.NewReader(body)), size)
	}})
	for path, want := range map[string]struct {
		code int
		body string
	}{"/": {200, "streamed"}, "/known": {200, "streamed"}, "/watch": {505, ""}, "/long": {505, ""}} {
		c := dial(t, addr)
		c.send("GET " + path + " HTTP/1.0\r\n\r\n")
		resp, body := c.answer("GET")
		if resp.StatusCode != want.code || want.body != "" && body != want.body || len(resp.TransferEncoding) > 0 {
			t.Errorf("%s: %d %.80q %v", path, resp.StatusCode, body, resp.TransferEncoding)
		}
		if code := <-ended; code != want.code {
			t.Errorf("%s: the exchange ended with %d", path, code)
		}
		if rest := c.rest(); rest != "" {
			t.Errorf("%s: then %q", path, rest)
		}
	}
	c := dial(t, addr)
	for range 2 {
		c.send("GET /known HTTP/1.0\r\nconnection: keep-alive\r\n\r\n")
		if resp, body := c.answer("GET"); body != "streamed" || resp.Header.Get("Connection") != "keep-alive" {
			t.Errorf("kept alive: %q %v", body, resp.Header)
		}
		<-ended
	}
}
