// Package source makes modules of Go packages, with the plain Go toolchain.
package source

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/posternhq/postern/gateway/module/manifest"
)

// Build compiles the Go package in dir for wasip1 and packs the module.yaml beside it; the module's bytes. The compiler's
// own output is part of the error.
func Build(ctx context.Context, dir string) ([]byte, error) {
	about, err := os.ReadFile(filepath.Join(dir, "module.yaml"))
	if err != nil {
		return nil, fmt.Errorf("cannot read the module's manifest: %w", err)
	}
	tmp, err := os.MkdirTemp("", "postern-module-*")
	if err != nil {
		return nil, fmt.Errorf("cannot make a folder to compile in: %w", err)
	}
	defer func() { _ = os.RemoveAll(tmp) }()
	out := filepath.Join(tmp, "module.wasm")
	// Without symbols and paths a module is half a megabyte smaller, and the same bytes on every machine.
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot compile %s: %w\n%s", dir, err, text)
	}
	wasm, err := os.ReadFile(out)
	if err != nil {
		return nil, fmt.Errorf("cannot read what was compiled: %w", err)
	}
	return manifest.Pack(wasm, about)
}
