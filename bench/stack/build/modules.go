package build

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/posternhq/postern/bench/stack/proc"
)

// moduleEnv is the target of WebAssembly modules.
var moduleEnv = []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"}

// Modules builds every Go package directly below wasm-modules into a .wasm file of its name in dir. The template, which is
// there to be copied, is left out.
func (b *Builder) Modules(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the folder of modules: %w", err)
	}
	mains, err := filepath.Glob(filepath.Join(b.Root, "wasm-modules", "*", "main.go"))
	if err != nil {
		return fmt.Errorf("cannot list the modules: %w", err)
	}
	for _, file := range mains {
		name := filepath.Base(filepath.Dir(file))
		// Built beside the folder and moved into it: a running gateway watches the folder and must never see half a file.
		temporary := filepath.Join(b.Bin, name+".wasm")
		args := []string{"build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", temporary, "./wasm-modules/" + name}
		spec := proc.Spec{Name: "build-" + name, Path: "go", Args: args, Env: append(os.Environ(), moduleEnv...), Dir: b.Root}
		if err := b.Group.Run(ctx, spec, io.Discard); err != nil {
			return fmt.Errorf("cannot build the module %q: %w", name, err)
		}
		if err := os.Rename(temporary, filepath.Join(dir, name+".wasm")); err != nil {
			return fmt.Errorf("cannot put the module %q in its place: %w", name, err)
		}
	}
	return nil
}
