package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// TestFirstAdministrator has a gateway find a cluster where nobody is: it makes an administrator and shows the password once.
func TestFirstAdministrator(t *testing.T) {
	kubeconfig := emptyCluster(t)
	postern(t, "crds", "install", "--kubeconfig", kubeconfig)
	// Requests would go on in the group postern:decided, which is bound to nothing here.
	piece := `{kubernetes: {kubeconfig: ` + kubeconfig + `}, authentication: {jwtSecret: ""}, postern: {firstAdmin: {name: root}, kube: {identity: plain}}}`
	url, log := startGateway(t, piece)
	password := ""
	until(t, "the password to be shown", func() bool {
		text, err := os.ReadFile(log)
		for line := range strings.Lines(string(text)) {
			var entry struct{ User, Password string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Password != "" && entry.User == "root" {
				password = entry.Password
			}
		}
		return err == nil && password != ""
	})
	c := client(t)
	as := func(url, password string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/namespaces", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("root", password)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	until(t, "the administrator to be let in", func() bool { return as(url, password) == 200 })

	other, log := startGateway(t, piece)
	until(t, "the administrator to be let in elsewhere", func() bool { return as(other, password) == 200 })
	if text, _ := os.ReadFile(log); strings.Contains(string(text), `"password":`) {
		t.Errorf("another gateway shows a password:\n%s", text)
	}
}

// emptyCluster starts one more etcd and kube-apiserver, as the stack's but with nothing in it; its administrator's kubeconfig.
func emptyCluster(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", stack.PIDs["kube-apiserver"]))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	server := freePort(t)
	for i, a := range args {
		name, _, _ := strings.Cut(a, "=")
		switch name {
		case "--etcd-dir":
			args[i] = name + "=" + filepath.Join(dir, "etcd")
		case "--etcd-url":
			args[i] = fmt.Sprintf("%s=http://127.0.0.1:%d", name, freePort(t))
		case "--secure-port":
			args[i] = fmt.Sprintf("%s=%d", name, server)
		}
	}
	background(t, filepath.Join(dir, "log"), args[0], args[1:]...)

	text, err = os.ReadFile(stack.Kubeconfigs["admin"])
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("https://127.0.0.1:%d", server)
	config["clusters"].([]any)[0].(map[string]any)["cluster"].(map[string]any)["server"] = url
	if text, err = yaml.Marshal(config); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	c := client(t)
	within(t, 2*time.Minute, "the empty cluster", func() bool {
		resp, err := c.Get(url + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return file
}

// freePort is a port of the loopback that nobody listens on now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// TestUsersAreLookedAfter: what kubectl stores as plain text is hashed and then good for a login, and logins are recorded.
func TestUsersAreLookedAfter(t *testing.T) {
	const name = "kept"
	t.Cleanup(func() {
		_, _ = tryKubectl(t, "admin", nil, "delete", "user.iam.kubesphere.io", name, "--ignore-not-found")
		_, _ = tryKubectl(t, "admin", nil, "delete", "loginrecords.iam.kubesphere.io", "-l", "iam.kubesphere.io/user-ref="+name)
	})
	out, err := tryKubectl(t, "admin", strings.NewReader(`{"apiVersion":"iam.kubesphere.io/v1alpha2","kind":"User","metadata":{"name":"`+name+`"},"spec":{"email":"kept@example.com","password":"Typed-Pa55word"}}`), "create", "-f", "-")
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	read := func(path string) string {
		return kubectl(t, "admin", "get", "user.iam.kubesphere.io", name, "-o", "jsonpath={"+path+"}")
	}
	until(t, "the password to be hashed", func() bool { return strings.HasPrefix(read(".spec.password"), "$2a$10$") })
	c := client(t)
	login := func(password string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, stack.URLs["gateway"]+"/api/v1/nodes", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("kept@example.com", password)
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	code := 0
	for range 4 { // not more often: failures count, and the gateway may not have heard of the hash
		if code = login("Typed-Pa55word"); code == 403 { // nobody has granted anything
			break
		}
		time.Sleep(time.Second)
	}
	if code != 403 {
		t.Errorf("the right password is answered %d", code)
	}
	if code := login("wrong"); code != 401 {
		t.Errorf("a wrong password is answered %d", code)
	}
	until(t, "both to be recorded", func() bool {
		out := kubectl(t, "admin", "get", "loginrecords.iam.kubesphere.io", "-l", "iam.kubesphere.io/user-ref="+name, "-o", "jsonpath={.items[*].spec.success}")
		return strings.Contains(out, "true") && strings.Contains(out, "false")
	})
	if at, err := time.Parse(time.RFC3339, read(".status.lastLoginTime")); err != nil || time.Since(at) > time.Hour {
		t.Errorf("last login %v, %v", at, err)
	}
}
