// Package source makes modules of source folders: Go, C, Rust and AssemblyScript, each with its own plain toolchain.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module/manifest"
)

// Language is what a module is written in.
type Language string

// The languages that Build knows.
const (
	Go             Language = "go"
	C              Language = "c"
	Rust           Language = "rust"
	AssemblyScript Language = "assemblyscript"
)

// Languages are all of them, in the order of help texts.
var Languages = []Language{Go, C, Rust, AssemblyScript}

// compilers make a .wasm file of a folder.
var compilers = map[Language]func(ctx context.Context, dir, out string) error{
	Go: compileGo, C: compileC, Rust: compileRust, AssemblyScript: compileAssemblyScript,
}

// marks are the files that tell a folder's language, the surest first: a Go module may hold a TypeScript client.
var marks = []struct {
	pattern  string
	language Language
}{
	{"go.mod", Go},
	{"*.go", Go},
	{"Cargo.toml", Rust},
	{"lib.rs", Rust},
	{"asconfig.json", AssemblyScript},
	{"index.ts", AssemblyScript},
	{"*.c", C},
}

// Detect tells the language of the module in dir by its files.
func Detect(dir string) (Language, error) {
	for _, m := range marks {
		if found, _ := filepath.Glob(filepath.Join(escapeGlob(dir), m.pattern)); len(found) > 0 {
			return m.language, nil
		}
	}
	return "", fmt.Errorf("cannot tell the language of %q: no *.go, lib.rs, Cargo.toml, index.ts or *.c in it", dir)
}

// escapeGlob keeps filepath.Glob from reading patterns in the name of a folder.
func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// Build compiles the module in dir and packs the module.yaml beside it; the module's bytes. The compiler's own output is
// part of the error.
func Build(ctx context.Context, dir string) ([]byte, error) {
	about, err := os.ReadFile(filepath.Join(dir, "module.yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot build %q: there is no module.yaml in it (postern module new makes one)", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the module's manifest: %w", err)
	}
	if _, err := manifest.Parse(about); err != nil { // before the compiler has taken its time
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "module.yaml"), err)
	}
	language, err := Detect(dir)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "postern-module-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder to compile in: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	out := filepath.Join(tmp, "module.wasm")
	if err := compilers[language](ctx, dir, out); err != nil {
		return nil, err
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("cannot read what was compiled: %w", err)
	}
	return manifest.Pack(wasm, about)
}

// run runs a compiler in dir.
func run(ctx context.Context, dir string, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.WaitDelay = time.Second // a grandchild that kept the pipe open must not hold us
	text, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("cannot compile %s: %w", dir, ctx.Err())
	}
	return &compileError{dir: dir, err: err, output: string(text)}
}

// compileError is a compiler's failure with what it printed.
type compileError struct {
	dir, output string
	err         error
}

func (e *compileError) Error() string {
	return fmt.Sprintf("cannot compile %s: %v\n%s", e.dir, e.err, strings.TrimRight(e.output, "\n"))
}

func (e *compileError) Unwrap() error { return e.err }
