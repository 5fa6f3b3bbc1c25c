package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// watcher is an edge-watcher of the tests' own: the route that the console asks for, and a few that show what arrives.
type watcher struct {
	*httptest.Server
	seen chan seen
	left chan struct{} // a client of /hang has left
}

// seen is a request as it arrived.
type seen struct {
	Method, URI, Body string
	Header            http.Header
}

func newWatcher(t *testing.T) *watcher {
	w := &watcher{seen: make(chan seen, 16), left: make(chan struct{}, 16)}
	routes := map[string]http.HandlerFunc{
		"/api/v1alpha1/nodes/join": join, "/api/stream": w.stream, "/api/hang": w.hang, "/api/upgrade": upgrade,
	}
	// Not a ServeMux: that redirects paths which are not clean.
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if serve := routes[r.URL.Path]; serve != nil {
			serve(rw, r)
			return
		}
		w.show(rw, r)
	}))
	t.Cleanup(w.Close)
	return w
}

var subdomain = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// join answers as edge-watcher does: the shell command for the node, or why there is none.
func join(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/json")
	q := r.URL.Query()
	if _, err := netip.ParseAddr(q.Get("node_ip")); err != nil || !subdomain.MatchString(q.Get("node_name")) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": 400, "status": "Failure", "message": "node name or ip is invalid"})
		return
	}
	command := "keadm join --cloudcore-ipport=192.0.2.10:30000 --edgenode-name=" + q.Get("node_name") + " --token=abc"
	if q.Get("add_default_taint") == "true" {
		command += " --with-edge-taint"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"code": 200, "status": "Succeeded", "data": command})
}

// show keeps the request for the test and answers with its method.
func (w *watcher) show(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.seen <- seen{r.Method, r.RequestURI, string(body), r.Header.Clone()}
	rw.Header().Set("X-Edge", "watcher")
	rw.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(rw, r.Method)
}

// stream echoes line by line, each before the next one has come.
func (w *watcher) stream(rw http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(rw)
	_ = control.EnableFullDuplex()
	rw.WriteHeader(http.StatusOK)
	_ = control.Flush()
	for lines := bufio.NewScanner(r.Body); lines.Scan(); {
		_, _ = io.WriteString(rw, "got "+lines.Text()+"\n")
		_ = control.Flush()
	}
}

// hang answers nothing until the client leaves.
func (w *watcher) hang(_ http.ResponseWriter, r *http.Request) {
	w.seen <- seen{Method: r.Method}
	<-r.Context().Done()
	w.left <- struct{}{}
}

// upgrade switches to a protocol that echoes bytes in capitals.
func upgrade(rw http.ResponseWriter, _ *http.Request) {
	conn, buf, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	line, _ := buf.ReadString('\n')
	_, _ = io.WriteString(conn, strings.ToUpper(line))
}

// dead is an address where nothing listens.
func dead(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	return "http://" + ln.Addr().String()
}
