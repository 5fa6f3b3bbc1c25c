package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// operate runs `postern module` against the stack's gateway; its output, both ways, and whether it succeeded.
func operate(t *testing.T, args ...string) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	args = append(append([]string{"module"}, args...), "--admin", strings.TrimPrefix(stack.URLs["gateway-admin"], "http://"))
	out, err := exec.CommandContext(ctx, filepath.Join(stack.Bin, "postern"), args...).CombinedOutput()
	return string(out), err == nil
}

// mustOperate is operate for what must succeed and say something.
func mustOperate(t *testing.T, says string, args ...string) string {
	t.Helper()
	out, ok := operate(t, args...)
	if !ok || !strings.Contains(out, says) {
		t.Fatalf("postern module %q: %s\nwant %q", args, out, says)
	}
	return out
}

// TestOperateByCommandLine loads, upgrades, rolls back, disables, enables and deletes a module with `postern module`. Each
// command waits, so the very next request shows what it has done.
func TestOperateByCommandLine(t *testing.T) {
	placed := filepath.Join(modulesDir(t), "greeter.wasm")
	t.Cleanup(func() { _ = os.Remove(placed) })
	dir, c := t.TempDir(), client(t)
	file := func(n int) (path, digest string) {
		path = filepath.Join(dir, word(n)+".wasm")
		wasm := greeterOf(t, n)
		if err := os.WriteFile(path, wasm, 0o600); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(wasm)
		return path, hex.EncodeToString(sum[:])[:12]
	}
	answers := func(code int, body string) {
		t.Helper()
		if gotCode, got, _ := do(t, c, greeting); gotCode != code || body != "" && got != body {
			t.Errorf("got %d %q, want %d %q", gotCode, got, code, body)
		}
	}
	one, first := file(501)
	two, second := file(502)
	mustOperate(t, "greeter loaded: "+first, "load", one)
	answers(200, word(501))
	mustOperate(t, "greeter loaded: "+second, "load", two)
	answers(200, word(502))
	mustOperate(t, "greeter rolled back: "+first+" (version "+word(501)+") serves greeter.example.io/v1; before: "+second, "rollback", "greeter")
	answers(200, word(501))
	mustOperate(t, "nothing serves", "disable", "greeter")
	answers(404, "")
	mustOperate(t, "greeter enabled: "+first, "enable", "greeter")
	answers(200, word(501))
	mustOperate(t, "served     "+second, "show", "greeter")
	mustOperate(t, "", "logs", "greeter")

	var all []struct{ Module, State string }
	if err := json.Unmarshal([]byte(mustOperate(t, "[", "top", "--once", "--interval", "200ms", "-o", "json")), &all); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range all {
		found = found || m.Module == "greeter" && m.State == "serving"
	}
	if !found {
		t.Errorf("top shows %+v", all)
	}
	mustOperate(t, "greeter  ", "top", "--once", "--interval", "200ms", "--sort", "name")
	if routes := adminGet(t, "/routes"); !strings.Contains(routes, `"/kapis/greeter.example.io/v1"`) {
		t.Errorf("routes: %s", routes)
	}

	wrong := filepath.Join(dir, "token")
	if err := os.WriteFile(wrong, []byte("not the token of this gateway\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, ok := operate(t, "disable", "greeter", "--token-file", wrong); ok || !strings.Contains(out, "--token-file") {
		t.Errorf("with a wrong token: %s", out)
	}
	if out, ok := operate(t, "load", filepath.Join(dir, "token")); ok || !strings.Contains(out, "not a WebAssembly") {
		t.Errorf("what is no module: %s", out)
	}
	answers(200, word(501))
	mustOperate(t, "greeter deleted: nothing serves", "delete", "greeter")
	answers(404, "")
}
