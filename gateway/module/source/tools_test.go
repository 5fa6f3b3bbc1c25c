package source_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/source"
)

const about = "{name: m, serves: [{group: m.example.io}]}"

// folder is a temporary one with these files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestMissingTools: without a compiler the error says what to install.
func TestMissingTools(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("POSTERN_TOOLCHAIN", "")
	for file, want := range map[string]string{
		"main.go": "go.dev/doc/install", "main.c": "apt install clang lld wasi-libc", "lib.rs": "apt install rustc libstd-rust-dev-wasm32 lld",
		"Cargo.toml": "apt install cargo", "index.ts": "npm ci",
	} {
		dir := folder(t, map[string]string{file: "", "module.yaml": about})
		if _, err := source.Build(t.Context(), dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", file, err, want)
		}
	}
}

// TestBuildRefuses: what is wrong with the folder is said before a compiler runs, and what the compiler says is passed on.
func TestBuildRefuses(t *testing.T) {
	t.Setenv("FORCE_COLOR", "1") // what some build machines set: errors are text all the same
	t.Setenv("POSTERN_TOOLCHAIN", filepath.Join("..", "..", "..", ".postern", "toolchain", "bin"))
	for want, files := range map[string]map[string]string{
		"there is no module.yaml":     {"main.c": ""},
		"module.yaml: manifest: name": {"main.c": "", "module.yaml": "name: M"},
		"cannot tell the language":    {"module.yaml": about},
		"main.c:1:1":                  {"main.c": "nonsense", "module.yaml": about},
		"lib.rs:1":                    {"lib.rs": "nonsense", "module.yaml": about},
		"ERROR TS":                    {"index.ts": "nonsense nonsense", "module.yaml": about},
		"undefined: nonsense":         {"main.go": "package main\nfunc main() { nonsense() }", "go.mod": "module m\ngo 1.26\n", "module.yaml": about},
	} {
		if _, err := source.Build(t.Context(), folder(t, files)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := source.Build(ctx, folder(t, map[string]string{"main.c": "", "module.yaml": about})); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("got %v for a build that was given up", err)
	}
}

// TestWatch: changes of sources and of the requests' files are told.
func TestWatch(t *testing.T) {
	dir := folder(t, map[string]string{"main.c": "", "tests/a.http": ""})
	elsewhere := folder(t, map[string]string{"b.http": ""})
	ctx, cancel := context.WithCancel(t.Context())
	changes, err := source.Watch(ctx, dir, []string{filepath.Join(elsewhere, "*.http")})
	if err != nil {
		t.Fatal(err)
	}
	touch := func(path ...string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(path...), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "main.c"), filepath.Join(dir, "tests", "a.http"), filepath.Join(elsewhere, "b.http")} {
		touch(path)
		<-changes
	}
	cancel()
	for range changes { // closed with the context; one change may have been told in two parts
	}
	if _, err := source.Watch(t.Context(), filepath.Join(dir, "none"), nil); err == nil {
		t.Error("a folder that is not there is watched")
	}
}
