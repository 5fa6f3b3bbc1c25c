package admin

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
)

// request sends a request with headers, given as name and value in turn.
func request(t *testing.T, method, url string, body []byte, headers ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// as is an operator's request; into takes the answer if it has the code.
func as(t *testing.T, method, url string, body []byte, code int, into any) {
	t.Helper()
	resp := request(t, method, url, body, "Authorization", "Bearer "+secret)
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != code {
		t.Fatalf("%s %s: %d %s, want %d", method, url, resp.StatusCode, text, code)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func version(t *testing.T, text string) []byte {
	return guests.Saying(t, text, guests.Serving("a", "a.io/v1"))
}

// TestOperations loads, rolls back, disables, enables and deletes a module over HTTP.
func TestOperations(t *testing.T) {
	base, dir := serveModules(t, "127.0.0.1:0")
	one, two := module.Digest(version(t, "one")), module.Digest(version(t, "two"))
	for _, c := range []struct {
		method, path string
		body         []byte
		want         manager.Answer
	}{
		{"PUT", "/modules/a", version(t, "one"), manager.Answer{Action: "loaded", Digest: one}},
		{"PUT", "/modules/a", version(t, "two"), manager.Answer{Action: "loaded", Digest: two, Previous: one}},
		{"POST", "/modules/a/rollback", nil, manager.Answer{Action: "rolled back", Digest: one, Previous: two}},
		{"POST", "/modules/a/rollback?digest=" + two[:6], nil, manager.Answer{Action: "rolled back", Digest: two, Previous: one}},
		{"POST", "/modules/a/disable", nil, manager.Answer{Action: "disabled", Previous: two}},
		{"POST", "/modules/a/enable", nil, manager.Answer{Action: "enabled", Digest: two}},
	} {
		var got manager.Answer
		as(t, c.method, base+c.path, c.body, 200, &got)
		if got.Module != "a" || got.Action != c.want.Action || got.Digest != c.want.Digest || got.Previous != c.want.Previous {
			t.Errorf("%s %s: %+v, want %+v", c.method, c.path, got, c.want)
		}
	}
	var detail manager.Detail
	as(t, "GET", base+"/modules/a", nil, 200, &detail)
	if detail.State != manager.Serving || detail.Digest != two || len(detail.History) != 2 || detail.Generation == nil || detail.Totals == nil {
		t.Errorf("%+v", detail)
	}
	if _, err := os.Stat(filepath.Join(dir, "a.wasm")); err != nil {
		t.Error(err)
	}
	as(t, "DELETE", base+"/modules/a", nil, 200, &manager.Answer{})
	if files, err := filepath.Glob(filepath.Join(dir, "*.wasm*")); err != nil || len(files) != 0 {
		t.Errorf("%v %v", files, err)
	}
}

// TestRefusals have a code, a reason, and text that says what to do.
func TestRefusals(t *testing.T) {
	base, _ := serveModules(t, "127.0.0.1:0")
	greedy := guests.Saying(t, "two", guests.Serving("a", "a.io/v1")+"wants: {prometheus: true}\n")
	as(t, "PUT", base+"/modules/a", version(t, "one"), 200, &manager.Answer{})
	for _, c := range []struct {
		method, path string
		body         []byte
		code         int
		reason, says string
	}{
		{"PUT", "/modules/a", greedy, 422, "Invalid", "not granted: prometheus"},
		{"PUT", "/modules/b", version(t, "b"), 422, "Invalid", "a.io/v1 is already answered by a.wasm"},
		{"PUT", "/modules/..%2Fb", version(t, "b"), 422, "Invalid", "name of a file"},
		{"PUT", "/modules/a", make([]byte, module.MaxSize+1), 413, "RequestEntityTooLarge", "more than 67108864 bytes"},
		{"POST", "/modules/a/promote", nil, 409, "Conflict", "no rollout"},
		{"POST", "/modules/a/rollback", nil, 404, "NotFound", "no earlier version"},
		{"POST", "/modules/b/disable", nil, 404, "NotFound", `no module "b"`},
		{"GET", "/modules/b", nil, 404, "NotFound", `no module "b"`},
	} {
		var f Failure
		as(t, c.method, base+c.path, c.body, c.code, &f)
		if f.Reason != c.reason || f.Kind != "Status" || f.Code != c.code || !strings.Contains(f.Message, c.says) {
			t.Errorf("%s %s: %+v", c.method, c.path, f)
		}
	}
}

// TestWhoMay has requests come with and without a token, from pages in a browser and by names of others.
func TestWhoMay(t *testing.T) {
	local, _ := serveModules(t, "127.0.0.1:9091")
	remote, _ := serveModules(t, ":9091")
	port := local[strings.LastIndex(local, ":"):]
	token := []string{"Authorization", "Bearer " + secret}
	for _, c := range []struct {
		name, method, url string
		headers           []string
		code              int
	}{
		{"look", "GET", local + "/modules", nil, 200},
		{"change without", "POST", local + "/modules/a/disable", nil, 401},
		{"change with another", "POST", local + "/modules/a/disable", []string{"Authorization", "Bearer " + secret[:31]}, 401},
		{"change with a password", "POST", local + "/modules/a/disable", []string{"Authorization", "Basic " + secret}, 401},
		{"change", "POST", local + "/modules/a/disable", token, 404},
		{"load without", "PUT", local + "/modules/a", nil, 401},
		{"delete without", "DELETE", local + "/modules/a", nil, 401},
		{"another's name", "GET", local + "/modules", []string{"Host", "evil.example.com" + port}, 403},
		{"another's name, with", "POST", local + "/modules/a/disable", append([]string{"Host", "evil.example.com"}, token...), 403},
		{"localhost", "GET", local + "/modules", []string{"Host", "localhost" + port}, 200},
		{"an address", "GET", local + "/modules", []string{"Host", "[::1]" + port}, 200},
		{"a page", "GET", local + "/modules", []string{"Origin", "http://evil.example.com"}, 403},
		{"a page's image", "GET", local + "/metrics", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page's probe", "GET", local + "/readyz", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page without origin", "GET", local + "/modules", []string{"Origin", "null"}, 403},
		{"somebody who types it", "GET", local + "/modules", []string{"Sec-Fetch-Site", "none"}, 200},
		{"look from afar", "GET", remote + "/modules", nil, 401},
		{"look at metrics from afar", "GET", remote + "/metrics", nil, 401},
		{"profile from afar", "GET", remote + "/debug/pprof/goroutine", nil, 401},
		{"configuration from afar", "GET", remote + "/config", nil, 401},
		{"look from afar with", "GET", remote + "/modules", token, 200},
		{"by any name with", "GET", remote + "/modules", append([]string{"Host", "postern.example.com"}, token...), 200},
		{"the kubelet", "GET", remote + "/readyz", nil, 200},
	} {
		if resp := request(t, c.method, c.url, nil, c.headers...); resp.StatusCode != c.code {
			t.Errorf("%s: %s, want %d", c.name, resp.Status, c.code)
		}
	}
}

// TestLogs follows what is said of a module that traps.
func TestLogs(t *testing.T) {
	base, dir := serveModules(t, "127.0.0.1:0")
	m := managers[dir]
	as(t, "PUT", base+"/modules/a", guests.Trapping(t, guests.Serving("a", "a.io/v1")), 200, &manager.Answer{})
	following := request(t, "GET", base+"/modules/a/logs?follow=true", nil)
	if following.StatusCode != 200 {
		t.Fatal(following.Status)
	}
	lines := bufio.NewScanner(following.Body)
	for range 10 { // more than the breaker bears
		guests.Ask(t, "/kapis/a.io/v1/x", func(x *exchange.Exchange) { m.Table().Find("a.io", "v1").Serve(x) })
	}
	said := ""
	for !strings.Contains(said, "keeps failing") && lines.Scan() {
		var line module.LogLine
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v", lines.Bytes(), err)
		}
		said = line.Message
	}
	if !strings.Contains(said, "keeps failing") {
		t.Errorf("the last line is %q: %v", said, lines.Err())
	}
	text, err := io.ReadAll(request(t, "GET", base+"/modules/a/logs", nil).Body)
	if err != nil || !strings.Contains(string(text), "keeps failing") {
		t.Errorf("%s %v", text, err)
	}
	if resp := request(t, "GET", base+"/modules/b/logs", nil); resp.StatusCode != 404 {
		t.Errorf("of no module: %s", resp.Status)
	}
}

func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "admin.token")
	token, err := Token(path)
	if err != nil || len(token) != 64 {
		t.Fatalf("%q %v", token, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	if again, err := Token(path); err != nil || again != token {
		t.Errorf("%q %v, want %q", again, err, token)
	}
	if other, err := Token(path + "2"); err != nil || other == token {
		t.Errorf("%q %v", other, err)
	}
	if err := os.WriteFile(path, []byte("short\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Token(path); err == nil || !strings.Contains(err.Error(), "fewer than") {
		t.Errorf("got %v", err)
	}
	if _, err := Token(filepath.Join(path, "below")); err == nil {
		t.Error("no error where there can be no file")
	}
	t.Setenv("XDG_STATE_HOME", "/state")
	if got := DefaultTokenFile(); got != "/state/postern/admin.token" {
		t.Errorf("got %s", got)
	}
	if bears(&http.Request{Header: http.Header{"Authorization": {"Bearer "}}}, "") {
		t.Error("no token is a token")
	}
}
