package httpcall

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/hostabi"
)

// send sends a request of raw lines and reads the answer.
func send(t *testing.T, addr, head, body string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(c, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n"+body)
	method, _, _ := strings.Cut(head, " ")
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(answer)
}

// An exchange arrives with the path and headers that the module asked for, and without what is the user's or made up.
func TestForward(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Answer", "yes")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintf(w, "%s %s %s\n", r.Method, r.RequestURI, body)
		for _, name := range slices.Sorted(maps.Keys(r.Header)) {
			fmt.Fprintln(w, name+": "+strings.Join(r.Header[name], "|"))
		}
	})
	addr := forwarding(t, s, callOf(hostabi.TagBackend, "b", hostabi.TagPath, "/v1alpha1/nodes/join?node_name=a%20b", hostabi.TagHeader, "X-Mine: 1",
		hostabi.TagHeader, "X-Twice: module", hostabi.TagDropHeader, "X-Drop", hostabi.TagDropHeader, "x-many-*"))
	resp, body := send(t, addr, `PUT /kapis/kubeedge.kubesphere.io/v1alpha1/nodes/join HTTP/1.1
Host: gateway
Authorization: Bearer secret
authorization: Basic secret
Cookie: session=secret
X-Remote-User: admin
X-Remote-Extra-Scopes: all
X-KubeSphere-Token: secret
Impersonate-User: admin
X-Forwarded-For: 1.2.3.4
Forwarded: for=1.2.3.4
X-Request-Id: forged
X-Drop: x
X-Many-A: x
X-Twice: client
X-Kept: yes
Connection: X-Hop
X-Hop: x
Content-Length: 4`, "body")
	want := "PUT /base/v1alpha1/nodes/join?node_name=a%20b body\nContent-Length: 4\nX-Kept: yes\nX-Mine: 1\nX-Request-Id: id-of-the-gateway\nX-Twice: module\n"
	if resp.StatusCode != http.StatusConflict || resp.Header.Get("X-Answer") != "yes" || body != want {
		t.Errorf("%d %v\ngot  %s\nwant %s", resp.StatusCode, resp.Header, body, want)
	}
}

func TestForwardMethods(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Method", r.Method) })
	own := forwarding(t, s, callOf(hostabi.TagBackend, "b"))
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		if resp, _ := send(t, own, method+" /x HTTP/1.1\nHost: g\nContent-Length: 0", ""); resp.Header.Get("X-Method") != method {
			t.Errorf("%s arrived as %q", method, resp.Header.Get("X-Method"))
		}
	}
	other := forwarding(t, s, callOf(hostabi.TagBackend, "b", hostabi.TagMethod, "POST"))
	if resp, _ := send(t, other, "PUT /x HTTP/1.1\nHost: g\nContent-Length: 0", ""); resp.Header.Get("X-Method") != "POST" {
		t.Errorf("PUT arrived as %q", resp.Header.Get("X-Method"))
	}
	if resp, _ := send(t, other, "HEAD /x HTTP/1.1\nHost: g", ""); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("HEAD became POST: %d", resp.StatusCode)
	}
}

// Nothing is answered when the backend cannot be reached or the call is not in order: the module has the word.
func TestForwardRefused(t *testing.T) {
	s := start(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("sent %s", r.RequestURI) })
	for _, c := range []struct {
		args []any
		want string
	}{
		{[]any{hostabi.TagBackend, "dead"}, "unavailable: "},
		{[]any{hostabi.TagBackend, "other"}, "denied: "},
		{[]any{hostabi.TagBackend, "missing"}, "not found: "},
		{[]any{hostabi.TagBackend, "b", hostabi.TagPath, "/../x"}, "bad argument: "},
		{[]any{hostabi.TagBackend, "b", hostabi.TagHeader, "Host: x"}, "bad argument: "},
		{[]any{hostabi.TagBackend, "b", hostabi.TagDropHeader, "a b"}, "bad argument: "},
		{[]any{hostabi.TagBackend, "b", hostabi.TagMethod, "CONNECT"}, "bad argument: "},
		{[]any{hostabi.TagBackend, "b", hostabi.TagBody, "x"}, "bad argument: "},
	} {
		resp, body := send(t, forwarding(t, s, callOf(c.args...)), "GET /x HTTP/1.1\nHost: g", "")
		var status struct{ Kind, Message string }
		if err := json.Unmarshal([]byte(body), &status); err != nil || status.Kind != "Status" {
			t.Errorf("%v: %q", c.args, body)
		}
		if resp.StatusCode != http.StatusBadGateway || !strings.HasPrefix(status.Message, c.want) {
			t.Errorf("%v: %d %s", c.args, resp.StatusCode, body)
		}
	}
}

func TestForwardTimeout(t *testing.T) {
	s := start(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, body := send(t, forwarding(t, s, callOf(hostabi.TagBackend, "slow")), "GET /x HTTP/1.1\nHost: g", "")
	if !strings.Contains(body, "deadline exceeded") {
		t.Errorf("%s", body)
	}
}

// Both bodies stream: the backend answers each piece before the next is sent.
func TestForwardStreams(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintln(w, "got "+lines.Text())
			_ = http.NewResponseController(w).Flush()
		}
	})
	c, err := net.Dial("tcp", forwarding(t, s, callOf(hostabi.TagBackend, "b")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(c, "POST /x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := bufio.NewScanner(resp.Body)
	for _, piece := range []string{"one", "two", "three"} {
		fmt.Fprintf(c, "%x\r\n%s\n\r\n", len(piece)+1, piece)
		if !answer.Scan() || answer.Text() != "got "+piece {
			t.Fatalf("%q for %q: %v", answer.Text(), piece, answer.Err())
		}
	}
	fmt.Fprint(c, "0\r\n\r\n")
	if answer.Scan() {
		t.Errorf("%q behind the end", answer.Text())
	}
}

// A WebSocket goes through, without the token that browsers put among its subprotocols.
func TestForwardUpgrades(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if p := r.Header.Get("Sec-WebSocket-Protocol"); p != "v4.channel.k8s.io, other" {
			t.Errorf("protocols are %q", p)
		}
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(c, rw)
	})
	c, err := net.Dial("tcp", forwarding(t, s, callOf(hostabi.TagBackend, "b")))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(c, "GET /ws HTTP/1.1\r\nHost: g\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Protocol: v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.c2VjcmV0, other\r\n\r\n")
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	fmt.Fprintln(c, "ping")
	if line, err := r.ReadString('\n'); line != "ping\n" {
		t.Errorf("%q, %v", line, err)
	}
}
