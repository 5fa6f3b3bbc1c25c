package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// person is somebody with logins of their own, and kubectl.
type person struct {
	t          *testing.T
	name, dir  string
	kubeconfig string
}

func newPerson(t *testing.T, name string) *person {
	dir := t.TempDir()
	return &person{t: t, name: name, dir: dir, kubeconfig: filepath.Join(dir, "kubeconfig")}
}

// run runs a program of the stack, for at most a minute.
func (p *person) run(in, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(stack.Bin, program), args...)
	cmd.Env = []string{"HOME=" + p.dir, "XDG_CONFIG_HOME=" + filepath.Join(p.dir, "config"), "KUBECONFIG=" + p.kubeconfig, "PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(in)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p *person) must(in, program string, args ...string) string {
	p.t.Helper()
	out, err := p.run(in, program, args...)
	if err != nil {
		p.t.Fatalf("%s %v: %v\n%s", program, args, err, out)
	}
	return out
}

func (p *person) login() *person {
	p.t.Helper()
	p.must(userPassword(p.t, p.name), "postern", "login", stack.URLs["gateway-tls"], "--ca", stack.CAFile, "-u", p.name, "--password-stdin")
	return p
}

// expire has the login's access token seem expired, and gives its refresh token.
func (p *person) expire() string {
	p.t.Helper()
	file := filepath.Join(p.dir, "config", "postern", "logins.json")
	text, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	var all struct {
		Current string                    `json:"current"`
		Logins  map[string]map[string]any `json:"logins"`
	}
	if err := json.Unmarshal(text, &all); err != nil {
		p.t.Fatal(err)
	}
	l := all.Logins[all.Current]
	l["expires"] = time.Now().Add(-time.Minute)
	if text, err = json.Marshal(all); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
	return l["refreshToken"].(string)
}

// TestKubectlStaysLoggedIn has the real kubectl go through the gateway by `postern kubeconfig`, over an expired token, to the
// logout.
func TestKubectlStaysLoggedIn(t *testing.T) {
	p := newPerson(t, "alice").login()
	if out := p.must("", "postern", "kubeconfig", "--merge"); !strings.Contains(out, p.kubeconfig) {
		t.Errorf("it says %s", out)
	}
	if out := p.must("", "kubectl", "auth", "whoami", "-o", "json"); !strings.Contains(out, `"alice"`) {
		t.Errorf("kubectl is %s", out)
	}
	p.must("", "kubectl", "-n", "demo-shop", "get", "pods")
	if out, err := p.run("", "kubectl", "-n", "edge-sensors", "get", "pods"); err == nil || !strings.Contains(out, "Forbidden") {
		t.Errorf("another workspace: %v\n%s", err, out)
	}
	old := p.expire()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if out, err := p.run("", "kubectl", "-n", "demo-shop", "get", "pods"); err != nil {
				t.Errorf("several at once, with an expired token: %v\n%s", err, out)
			}
		})
	}
	all.Wait()
	if p.expire() == old {
		t.Error("the token was not refreshed")
	}
	p.must("", "kubectl", "-n", "demo-shop", "get", "pods")
	embedded := filepath.Join(p.dir, "embedded")
	p.must("", "postern", "kubeconfig", "alice", "--embed-token", "-o", embedded)
	p.must("", "kubectl", "--kubeconfig", embedded, "-n", "demo-shop", "get", "pods")
	p.must("", "postern", "logout")
	if out, err := p.run("", "kubectl", "--kubeconfig", embedded, "-n", "demo-shop", "get", "pods"); err == nil || !strings.Contains(out, "Unauthorized") && !strings.Contains(out, "must be logged in") {
		t.Errorf("its token is good after the logout: %v\n%s", err, out)
	}
	if out, err := p.run("", "kubectl", "-n", "demo-shop", "get", "pods"); err == nil || !strings.Contains(out, "postern login") {
		t.Errorf("kubectl does not say what to do: %v\n%s", err, out)
	}
}

// TestLoginInTheBrowser plays the browser, which says who it is by HTTP Basic.
func TestLoginInTheBrowser(t *testing.T) {
	p := newPerson(t, "bob")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(stack.Bin, "postern"), "login", stack.URLs["gateway-tls"], "--ca", stack.CAFile, "--web", "--no-browser")
	cmd.Env = []string{"HOME=" + p.dir, "XDG_CONFIG_HOME=" + filepath.Join(p.dir, "config")}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address := ""
	for lines := bufio.NewScanner(said); address == "" && lines.Scan(); {
		address = regexp.MustCompile(`https://\S+`).FindString(lines.Text())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("bob", userPassword(t, "bob"))
	r, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if err != nil || !strings.Contains(string(page), "You are logged in") {
		t.Errorf("the browser shows %s %s, %v", r.Status, page, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("login: %v", err)
	}
	p.must("", "postern", "kubeconfig", "--merge")
	p.must("", "kubectl", "-n", "demo-shop", "get", "pods")
}

// TestWrongPassword is refused as kubectl would: an exit code, and what is wrong.
func TestWrongPassword(t *testing.T) {
	p := newPerson(t, "bob")
	out, err := p.run("wrong", "postern", "login", stack.URLs["gateway-tls"], "--ca", stack.CAFile, "-u", "nobody-of-that-name", "--password-stdin")
	if err == nil || !strings.HasPrefix(out, "error: cannot log in to "+stack.URLs["gateway-tls"]) {
		t.Errorf("got %v\n%s", err, out)
	}
}
