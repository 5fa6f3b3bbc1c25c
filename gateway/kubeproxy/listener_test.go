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
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
)

// startListener serves s behind the gateway's real listener and returns its address.
func startListener(t *testing.T, s *Stage) string {
	t.Helper()
	srv, err := listener.New(listener.Options{Serve: func(x *exchange.Exchange) {
		x.User, x.Info = alice, infoOf(string(x.HTTP.Path()))
		s.Serve(x, func(*exchange.Exchange) { t.Error("passed on") })
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

func dialTest(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c.(*net.TCPConn)
}

// switching is a kube-apiserver over TLS that switches protocols, and echoes with the header that it got in front.
func switching(t *testing.T) *Stage {
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocol := r.Header.Get("Upgrade")
		if r.Header.Get("Connection") != "Upgrade" {
			_, _ = fmt.Fprintf(w, "not asked to switch: %q", protocol)
			return
		}
		c, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: %s\r\nConnection: Upgrade\r\n\r\n%s %s|", protocol, r.Header.Get("Impersonate-User"), r.Header.Get("Authorization"))
		_, _ = io.Copy(c, buf)
		_, _ = io.WriteString(c, "|exit 0")
	}))
	t.Cleanup(srv.Close)
	cfg := &rest.Config{Host: srv.URL, BearerToken: "gateway", TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	return newStage(t, Options{Config: cfg})
}

// TestExec: exec by WebSocket and by SPDY is a tunnel; the end of the input reaches the command, whose last words reach
// the user. Nothing else is a tunnel.
func TestExec(t *testing.T) {
	addr := startListener(t, switching(t))
	for _, protocol := range []string{"websocket", "SPDY/3.1"} {
		c := dialTest(t, addr)
		_, _ = fmt.Fprintf(c, "GET /api/v1/namespaces/a/pods/b/exec HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer users\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\nearly ", protocol)
		r := bufio.NewReader(c)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != 101 || resp.Header.Get("Upgrade") != protocol {
			t.Fatalf("%s: got %+v, %v", protocol, resp, err)
		}
		_, _ = io.WriteString(c, "late")
		_ = c.CloseWrite()
		if b, err := io.ReadAll(r); err != nil || string(b) != "alice Bearer gateway|early late|exit 0" {
			t.Errorf("%s: got %q, %v", protocol, b, err)
		}
	}
	c := dialTest(t, addr)
	_, _ = io.WriteString(c, "GET /api/v1/x HTTP/1.1\r\nHost: g\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(b) != `not asked to switch: ""` {
		t.Errorf("h2c: got %d %s", resp.StatusCode, b)
	}
}

// TestEarlyAnswer: what kube-apiserver says before it has read the whole body is what the user reads, although the
// listener sees the body broken off.
func TestEarlyAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		for line, err := "", error(nil); line != "\r\n" && err == nil; {
			line, err = r.ReadString('\n')
		}
		_, _ = io.WriteString(c, "HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 3\r\n\r\nbig")
		_, _ = io.Copy(io.Discard, r)
	}()
	addr := startListener(t, newStage(t, Options{Config: &rest.Config{Host: "http://" + l.Addr().String()}}))
	c := dialTest(t, addr)
	_, _ = io.WriteString(c, "POST /api/v1/x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
	b, err := io.ReadAll(c)
	if got := string(b); err != nil || !strings.HasPrefix(got, "HTTP/1.1 413 ") || !strings.HasSuffix(got, "\r\n\r\nbig") || !strings.Contains(got, "Connection: close\r\n") {
		t.Errorf("got %q, %v", b, err)
	}
	<-done
}

// TestClientLeaves: a user who goes away ends the call at kube-apiserver.
func TestClientLeaves(t *testing.T) {
	began, ended := make(chan struct{}), make(chan struct{})
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(began)
		<-r.Context().Done()
		close(ended)
	}))
	defer srv.Close()
	cfg := &rest.Config{Host: srv.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	addr := startListener(t, newStage(t, Options{Config: cfg}))
	c := dialTest(t, addr)
	_, _ = io.WriteString(c, "GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: g\r\n\r\n")
	<-began
	_ = c.Close()
	<-ended
}
