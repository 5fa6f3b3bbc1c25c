package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNewcomersPage runs what hostabi/README.md tells a newcomer to type, line by line, in an empty folder. Only the
// ports are others: those of the page may be taken here.
func TestNewcomersPage(t *testing.T) {
	text, err := os.ReadFile("../../hostabi/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, block := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		script.WriteString(block[1])
	}
	if lines := strings.Count(script.String(), "\n"); lines < 25 {
		t.Fatalf("only %d lines of commands found", lines)
	}
	dir := t.TempDir()
	bin := inCheckout(t)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(bin, "postern"), ".").CombinedOutput(); err != nil {
		t.Fatalf("cannot build the program: %v\n%s", err, out)
	}
	run := withPorts(t, script.String())
	if err := os.Mkdir(filepath.Join(dir, "work"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-xc", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"+run)
	cmd.Dir, cmd.Env, cmd.WaitDelay = filepath.Join(dir, "work"), newcomer(t, dir, bin), 20*time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.CombinedOutput()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what a failed script left
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "work", "greeter", "gateway.log"))
		t.Fatalf("%v\n%s\nthe gateway's log:\n%s", err, out, log)
	}
	for _, want := range []string{
		"pass  native:", "5 of 5 requests; module greeter, go", "Hello, alice!", "pass  round 1", "(?m)^serves +greeter.example.io/v1$",
		"Good day, you!", "Welcome, you!", "sha256:[0-9a-f]{64}",
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if parts := strings.Split(string(out), "Welcome, you!"); !strings.Contains(parts[len(parts)-1], "Good day, you!") {
		t.Errorf("the rollback did not bring the first version back:\n%s", out)
	}
}

// inCheckout is a folder for the program in the checkout, where `make build` puts it, too: it finds the checkout by that.
func inCheckout(t *testing.T) string {
	t.Helper()
	state, err := filepath.Abs("../../.postern")
	if err == nil {
		err = os.MkdirAll(state, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	bin, err := os.MkdirTemp(state, "newcomer-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(bin) })
	return bin
}

// withPorts has the script use free ports, also where it relies on the defaults.
func withPorts(t *testing.T, script string) string {
	public, admin := freePort(t), freePort(t)
	script = strings.NewReplacer(
		"127.0.0.1:9090", public, "127.0.0.1:9091", admin,
		"module run .", "module run . --listen "+public,
		"postern run ", "postern run --set postern.listen.address="+public+" --set postern.admin.address="+admin+" ",
	).Replace(script)
	return regexp.MustCompile(`(?m)^postern module (load|rollback|list)\b`).ReplaceAllString(script, "$0 --admin "+admin)
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// newcomer is the environment of somebody who has never used Postern, but Go.
func newcomer(t *testing.T, dir, bin string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Fields(string(out))
	return append(os.Environ(), "HOME="+dir, "XDG_CACHE_HOME="+dir, "XDG_STATE_HOME="+dir, "XDG_CONFIG_HOME="+dir, "GOCACHE="+caches[0],
		"GOMODCACHE="+caches[1], "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG=", "GOPROXY=off")
}
