package kubeproxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/limit"
	"github.com/posternhq/postern/gateway/listener"
)

// limited serves s behind the stage limit and the real listener, with at most so many bytes of a body.
func limited(t *testing.T, s *Stage, bytes int64) string {
	t.Helper()
	bound := limit.New(limit.Options{}).WithBody(bytes)
	srv, err := listener.New(listener.Options{Serve: func(x *exchange.Exchange) {
		x.User, x.Info = alice, infoOf(string(x.HTTP.Path()))
		bound.Serve(x, func(x *exchange.Exchange) { s.Serve(x, nil) })
	}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		s.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = srv.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestBodyLimit: a body that is announced too large is refused before anything goes to kube-apiserver; one that turns out
// to be, as soon as it does, and kube-apiserver never sees its end.
func TestBodyLimit(t *testing.T) {
	var asked, whole atomic.Int32
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		b, err := io.ReadAll(r.Body)
		if err == nil {
			whole.Add(1)
		}
		_, _ = fmt.Fprintf(w, "%d bytes", len(b))
	}))
	defer srv.Close()
	cfg := &rest.Config{Host: srv.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	addr := limited(t, newStage(t, Options{Config: cfg}), 50_000)
	chunks := func(n int) string {
		return strings.Repeat("2710\r\n"+strings.Repeat("x", 10_000)+"\r\n", n) + "0\r\n\r\n"
	}
	begun := strings.Repeat("x", 9_000) // the chain is asked once 8 KiB have come
	for _, c := range []struct {
		name, head, body string
		code             int
		says             string
		asked, whole     int32
	}{
		{"at the limit", "Content-Length: 50000", strings.Repeat("x", 50_000), 200, "50000 bytes", 1, 1},
		{"over it", "Content-Length: 50001", begun, 413, `"reason":"RequestEntityTooLarge"`, 0, 0},
		{"far over it", "Content-Length: 99999999999", begun, 413, "bodyBytes", 0, 0},
		{"over it, asking first", "Content-Length: 50001\r\nExpect: 100-continue", "", 413, "bodyBytes", 0, 0},
		{"chunked", "Transfer-Encoding: chunked", chunks(5), 200, "50000 bytes", 1, 1},
		{"chunked over it", "Transfer-Encoding: chunked", chunks(6), 413, "bodyBytes", 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked.Store(0)
			whole.Store(0)
			conn := dialTest(t, addr)
			_, _ = fmt.Fprintf(conn, "POST /api/v1/x HTTP/1.1\r\nHost: g\r\n%s\r\n\r\n%s", c.head, c.body)
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != c.code || !strings.Contains(string(b), c.says) || whole.Load() != c.whole {
				t.Errorf("got %d %s; %d whole", resp.StatusCode, b, whole.Load())
			}
			if c.asked == 0 && asked.Load() != 0 {
				t.Error("kube-apiserver was asked")
			}
		})
	}
}

// TestBodyLimitBehindAnswer: when the answer has begun, too long a body breaks it off.
func TestBodyLimitBehindAnswer(t *testing.T) {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		_ = c.EnableFullDuplex()
		_, _ = io.WriteString(w, "begun")
		_ = c.Flush()
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer srv.Close()
	cfg := &rest.Config{Host: srv.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	conn := dialTest(t, limited(t, newStage(t, Options{Config: cfg}), 20_000))
	chunk := "2710\r\n" + strings.Repeat("x", 10_000) + "\r\n"
	_, _ = fmt.Fprintf(conn, "POST /api/v1/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n%s", chunk)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	begun := make([]byte, 5)
	if _, err := io.ReadFull(resp.Body, begun); err != nil || string(begun) != "begun" {
		t.Fatalf("got %q, %v", begun, err)
	}
	_, _ = io.WriteString(conn, chunk+chunk)
	if rest, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the answer ends as if it were whole: %q", rest)
	}
}
