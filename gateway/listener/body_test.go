package listener_test

import (
	"net"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
)

// TestUnwantedBody: a handler that has an answer gets rid of who waits for the body, whoever comes first.
func TestUnwantedBody(t *testing.T) {
	_, addr := start(t, listener.Options{Serve: func(x *exchange.Exchange) {
		read := make(chan error, 1)
		go func() {
			_, err := readBody(x)
			read <- err
		}()
		_ = x.HTTP.Conn().SetReadDeadline(time.Unix(1, 0))
		if err := <-read; err == nil {
			t.Error("the body was read")
		}
		x.HTTP.SetStatusCode(413)
		x.HTTP.SetBodyString("mine")
	}})
	for range 50 {
		c := dial(t, addr)
		c.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n")
		if resp, body := c.answer("POST"); resp.StatusCode != 413 || body != "mine" || !resp.Close {
			t.Fatalf("got %d %q", resp.StatusCode, body)
		}
		if rest := halfClose(c); rest != "" {
			t.Errorf("then %q", rest)
		}
	}
}

func halfClose(c *client) string {
	_ = c.Conn.(*net.TCPConn).CloseWrite()
	return c.rest()
}
