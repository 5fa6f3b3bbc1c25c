package e2e

import (
	"bufio"
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestReload changes the configuration under an open watch and a session: neither notices. A bad file changes nothing
// and is said in metric and probe.
func TestReload(t *testing.T) {
	good, err := os.ReadFile(stack.Config)
	if err != nil {
		t.Fatal(err)
	}
	restore := func() {
		loaded := metric(t, "postern_config_last_reload_success_timestamp_seconds")
		replace(t, stack.Config, append(good, []byte("\n# "+time.Now().String()+"\n")...))
		until(t, "the file of before to be loaded again", func() bool {
			return metric(t, "postern_config_last_reload_success_timestamp_seconds") > loaded
		})
	}
	token := http.Header{"Authorization": {"Bearer " + strings.TrimSpace(postern(t, "token", "alice", "--config", stack.Config))}}
	c := client(t)
	pods := request{path: "/api/v1/namespaces/demo-shop/pods", header: token}
	events, stop := openWatch(t, c)
	defer stop()

	replace(t, stack.Config, []byte(strings.Replace(string(good), "postern:\n", "postern:\n  anonymous: {allow: false}\n", 1)))
	until(t, "anonymous requests to be 401", func() bool {
		code, _, _ := do(t, c, request{path: "/api/v1/pods"})
		return code == 401
	})
	if code, body, _ := do(t, c, pods); code != 200 {
		t.Errorf("the session ended with the reload: %d %s", code, body)
	}

	replace(t, stack.Config, []byte("postern: {anonymous: {allow: perhaps}}\n"))
	until(t, "the bad file to be noticed", func() bool { return metric(t, "postern_config_last_reload_successful") == 0 })
	if text := adminGet(t, "/readyz?verbose"); !strings.Contains(text, "anonymous") {
		t.Errorf("/readyz?verbose does not say what is wrong:\n%s", text)
	}
	if code, _, _ := do(t, c, request{path: "/api/v1/pods"}); code != 401 {
		t.Errorf("got %d: the configuration of before does not serve", code)
	}

	restore()
	until(t, "anonymous requests to be 403 again", func() bool {
		code, _, _ := do(t, c, request{path: "/api/v1/pods"})
		return code == 403
	})
	kubectl(t, "admin", "-n", "demo-shop", "create", "configmap", "after-reload")
	kubectl(t, "admin", "-n", "demo-shop", "delete", "configmap", "after-reload")
	select {
	case line := <-events:
		if !strings.Contains(line, "after-reload") {
			t.Errorf("the watch saw %q", line)
		}
	case <-time.After(30 * time.Second):
		t.Error("the watch of before the reloads sees nothing any more")
	}
}

// openWatch watches config maps of demo-shop that come from now on.
func openWatch(t *testing.T, c *http.Client) (<-chan string, func()) {
	t.Helper()
	_, body, _ := do(t, c, request{path: "/api/v1/namespaces/demo-shop/configmaps?limit=1", user: "admin"})
	var list struct {
		Metadata struct{ ResourceVersion string }
	}
	decode(t, body, &list)
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		stack.URLs["gateway"]+"/api/v1/namespaces/demo-shop/configmaps?watch=1&resourceVersion="+list.Metadata.ResourceVersion, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", userPassword(t, "admin"))
	resp, err := (&http.Client{Transport: c.Transport}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan string, 100)
	go func() {
		defer func() { _ = resp.Body.Close() }()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			events <- lines.Text()
		}
	}()
	return events, cancel
}

// until waits for a condition, 20 s at most.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	within(t, 20*time.Second, what, ok)
}

// within waits for a condition.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come within %s", what, limit)
		}
	}
}
