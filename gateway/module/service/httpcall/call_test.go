package httpcall

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusTeapot)
	fmt.Fprintf(w, "%s %s %s %s", r.Method, r.RequestURI, r.Header.Get("X-Test"), body)
}

func TestDo(t *testing.T) {
	s := start(t, echo)
	for _, c := range []struct {
		want string
		args []any
	}{
		{"GET /base  ", []any{hostabi.TagBackend, "b"}},
		{"GET /  ", []any{hostabi.TagBackend, "root"}},
		{"GET /base/  ", []any{hostabi.TagBackend, "b", hostabi.TagPath, "/"}},
		{"GET /?q  ", []any{hostabi.TagBackend, "root", hostabi.TagPath, "?q"}},
		{"GET /base/a%2Fb//c%20d?x=%20&y=/../  ", []any{hostabi.TagBackend, "b", hostabi.TagPath, "/a%2Fb//c%20d?x=%20&y=/../"}},
		{"GET /base/a..b/...  ", []any{hostabi.TagBackend, "b", hostabi.TagPath, "/a..b/..."}},
		{"PATCH /base/x v w body", []any{
			hostabi.TagBackend, "b", hostabi.TagPath, "/x", hostabi.TagMethod, "PATCH", hostabi.TagHeader, "x-test:  v w ", hostabi.TagBody, "body",
		}},
	} {
		got := s.Do(t.Context(), callOf(c.args...))
		if got.Code != hostabi.OK || got.Status != http.StatusTeapot || string(got.Body) != c.want {
			t.Errorf("%+v\ngot  %s\nwant %s", got, got.Body, c.want)
		}
	}
}

// What would leave the backend's path, or the request, is refused.
func TestRefusesCrookedCalls(t *testing.T) {
	s := start(t, func(_ http.ResponseWriter, r *http.Request) { t.Errorf("sent %s", r.RequestURI) })
	args := map[string][]any{
		"method": {hostabi.TagMethod, "GET /x"}, "connect": {hostabi.TagMethod, "CONNECT"}, "trace": {hostabi.TagMethod, "TRACE"},
		"expr": {hostabi.TagExpr, "up"}, "two paths": {hostabi.TagPath, "/a", hostabi.TagPath, "/b"},
	}
	for _, path := range []string{
		"x", "//x/..", "/..", "/../x", "/a/../../x", "/%2e%2e/x", "/.%2E/x", "/a%2f..%2fx", "/a%5c..%5cx", `/a\..\x`, "/./x", "/..;a=b/x", "/a b",
		"/a\r\nX: y", "/a%0d%0a", "/a%00", "/%zz", "/a%2", "/a#b", "/a?b c", "/a?b\nc", "/é", "http://other/", "@other/",
	} {
		args["path "+path] = []any{hostabi.TagPath, path}
	}
	for _, header := range []string{
		"", "novalue", ": x", "a b: c", "a: b\r\nc: d", "a: b\x00", "Host: other", "content-length: 5", "Transfer-Encoding: chunked",
		"connection: close", "Upgrade: h2c", "TE: trailers", "x-request-id: mine", "a\r\nb: c", "expect: 100-continue",
	} {
		args["header "+header] = []any{hostabi.TagHeader, header}
	}
	for name, a := range args {
		if got := s.Do(t.Context(), callOf(append([]any{hostabi.TagBackend, "b"}, a...)...)); got.Code != hostabi.BadArgument || got.Err == "" {
			t.Errorf("%q: %+v", name, got)
		}
	}
	if got := s.Do(t.Context(), callOf(hostabi.TagBackend, "root", hostabi.TagPath, "//other/x")); got.Code != hostabi.BadArgument {
		t.Errorf("two slashes at the root: %+v", got)
	}
	for _, name := range []string{"", "other", "*"} {
		if got := s.Do(t.Context(), callOf(hostabi.TagBackend, name)); got.Code != hostabi.Denied {
			t.Errorf("%q: %+v", name, got)
		}
	}
	if got := s.Do(t.Context(), callOf(hostabi.TagBackend, "missing")); got.Code != hostabi.NotFound {
		t.Errorf("%+v", got)
	}
	if got := s.Do(t.Context(), &service.Call{Record: callOf(hostabi.TagBackend, "b").Record}); got.Code != hostabi.Denied {
		t.Errorf("no grants: %+v", got)
	}
}

func TestConfiguration(t *testing.T) {
	for _, url := range []string{
		"", "host:80", "ftp://host", "http://", "http://host/a/../b", "http://host/?x=1", "http://user:pw@host/", "http://host/%zz", "http://host/#a",
	} {
		if s, err := New(map[string]Backend{"x": {URL: url}}); err == nil {
			s.Close()
			t.Errorf("%q passes", url)
		} else if strings.Contains(err.Error(), "pw") {
			t.Errorf("%v tells a password", err)
		}
	}
}

func TestCallBounds(t *testing.T) {
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/base/large":
			for range 3000 {
				fmt.Fprint(w, strings.Repeat("x", 1000))
			}
		case "/base/redirect":
			http.Redirect(w, r, "/secret", http.StatusFound)
		case "/base/hang", "/hang":
			<-r.Context().Done()
		default:
			t.Errorf("%s was asked for", r.URL)
		}
	})
	if got := s.Do(t.Context(), callOf(hostabi.TagBackend, "b", hostabi.TagPath, "/large")); got.Code != hostabi.TooLarge || got.Body != nil {
		t.Errorf("%v, %d bytes", got.Code, len(got.Body))
	}
	if got := s.Do(t.Context(), callOf(hostabi.TagBackend, "b", hostabi.TagPath, "/redirect")); got.Code != hostabi.OK || got.Status != 302 {
		t.Errorf("%+v", got)
	}
	if got := s.Do(t.Context(), callOf(hostabi.TagBackend, "dead")); got.Code != hostabi.Unavailable {
		t.Errorf("%+v", got)
	}
	if got := s.Do(t.Context(), callOf(hostabi.TagBackend, "slow", hostabi.TagPath, "/hang")); got.Code != hostabi.Deadline {
		t.Errorf("%+v", got)
	}
	late, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if got := s.Do(late, callOf(hostabi.TagBackend, "b", hostabi.TagPath, "/hang")); got.Code != hostabi.Deadline {
		t.Errorf("%+v", got)
	}
	gone, cancel := context.WithCancel(context.Background())
	time.AfterFunc(20*time.Millisecond, cancel)
	if got := s.Do(gone, callOf(hostabi.TagBackend, "b", hostabi.TagPath, "/hang")); got.Code != hostabi.Canceled {
		t.Errorf("%+v", got)
	}
}

// FuzzTarget: whatever path is let through stays below the base, however often it is decoded or resolved.
func FuzzTarget(f *testing.F) {
	for _, path := range []string{"/a?b", "/%2e%2e/x", "/a/..;x/", "", "?", "/a%2f%2e%2e", "//x", "/a%252e%252e/x"} {
		f.Add(path)
	}
	s, err := New(map[string]Backend{"b": {URL: "http://host/base"}})
	if err != nil {
		f.Fatal(err)
	}
	defer s.Close()
	f.Fuzz(func(t *testing.T, path string) {
		target, err := s.backends["b"].target(path)
		if err != nil {
			return
		}
		r, err := http.NewRequest(http.MethodGet, "http://host"+target, nil)
		if err != nil || r.URL.Host != "host" {
			t.Fatalf("%q makes %q: %v", path, target, err)
		}
		if below := r.URL.JoinPath().Path; below != "/base" && !strings.HasPrefix(below, "/base/") && !strings.HasPrefix(below, "/base;") {
			t.Fatalf("%q resolves to %q", path, below)
		}
		if strings.ContainsAny(target, " \r\n\t") {
			t.Fatalf("%q cannot stand in a request line", target)
		}
	})
}
