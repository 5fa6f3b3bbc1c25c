package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// startGateway starts another gateway with the stack's configuration, folders of its own and a piece of configuration laid
// over both. It listens for plain HTTP at url, and its log grows in the file called log. It ends with the test.
func startGateway(t *testing.T, piece string) (url, log string) {
	t.Helper()
	text, err := os.ReadFile(stack.Config)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config := map[string]any{}
	for _, text := range []string{string(text), `postern:
  listen: {address: "127.0.0.1:0", tls: {address: ""}}
  admin: {address: ""}
  sessions: {journalFile: ` + filepath.Join(dir, "sessions.journal") + `}
  modules: {dir: ` + filepath.Join(dir, "modules") + `, cacheDir: ` + filepath.Join(dir, "cache") + `, artifactDir: ` + filepath.Join(dir, "artifacts") + `}
`, piece} {
		var over map[string]any
		if err := yaml.Unmarshal([]byte(text), &over); err != nil {
			t.Fatal(err)
		}
		config = merge(config, over)
	}
	merged, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "kubesphere.yaml")
	log = filepath.Join(dir, "log")
	if err := os.WriteFile(file, merged, 0o600); err != nil {
		t.Fatal(err)
	}
	background(t, log, filepath.Join(stack.Root, ".postern", "bin", "postern"), "run", "--config", file)
	return listening(t, log), log
}

// background runs a program until the test ends; both its outputs go into the file called log.
func background(t *testing.T, log, program string, args ...string) {
	t.Helper()
	out, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("the log of %s:\n%s", filepath.Base(program), text)
		}
		_ = out.Close()
	})
}

// listening waits until a gateway has logged where it listens.
func listening(t *testing.T, file string) (url string) {
	t.Helper()
	within(t, time.Minute, "the other gateway", func() bool {
		text, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		for line := range strings.Lines(string(text)) {
			var entry struct{ Listening struct{ HTTP string } }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Listening.HTTP != "" {
				url = "http://" + entry.Listening.HTTP
			}
		}
		return url != ""
	})
	return url
}
