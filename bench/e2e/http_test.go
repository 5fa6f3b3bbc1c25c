package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// client trusts the stack's authority. Its connections are closed with the test.
func client(t testing.TB) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(stack.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// request is one request to the gateway's plain listener.
type request struct {
	method, path string
	user         string // with the password of the stack; "" is nobody
	header       http.Header
	body         string
}

// do sends r and is its answer's status and body.
func do(t testing.TB, c *http.Client, r request) (int, string, http.Header) {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, stack.URLs["gateway"]+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.user != "" {
		req.SetBasicAuth(r.user, userPassword(t, r.user))
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", r.method, r.path, err)
	}
	return resp.StatusCode, string(body), resp.Header
}

func userPassword(t testing.TB, name string) string {
	t.Helper()
	for _, u := range stack.Users {
		if u.Name == name {
			return u.Password
		}
	}
	t.Fatalf("the stack has no user %q", name)
	return ""
}

// status is a Kubernetes Status.
type status struct {
	Kind, Message, Reason string
	Code                  int
	Details               struct {
		Causes []struct{ Reason, Message string }
	}
}

// wantStatus fails the test unless body is a Status of that code with the request's id.
func wantStatus(t testing.TB, code int, body string, header http.Header) status {
	t.Helper()
	var s status
	if err := json.Unmarshal([]byte(body), &s); err != nil || s.Kind != "Status" || s.Code != code {
		t.Errorf("got %q, want a Status of code %d", body, code)
		return s
	}
	id := header.Get("X-Request-Id")
	if id == "" || len(s.Details.Causes) == 0 || s.Details.Causes[0].Message != id {
		t.Errorf("the Status does not carry the request id %q: %s", id, body)
	}
	return s
}
