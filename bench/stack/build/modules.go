package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/posternhq/postern/bench/stack/proc"
)

// modules builds every module below wasm-modules and brings the folder dir up to date: only files that differ are replaced,
// in one step each, and what else is in dir stays. The gateway's own command does the building.
func (b *Builder) modules(ctx context.Context, dir string) error {
	built := filepath.Join(filepath.Dir(b.Bin), "modules")
	for _, folder := range []string{built, dir} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return fmt.Errorf("cannot make a folder of modules: %w", err)
		}
	}
	manifests, err := filepath.Glob(filepath.Join(b.Root, "wasm-modules", "*", "module.yaml"))
	if err != nil {
		return fmt.Errorf("cannot list the modules: %w", err)
	}
	for _, manifest := range manifests {
		source := filepath.Dir(manifest)
		file := filepath.Base(source) + ".wasm"
		args := []string{"module", "build", source, "-o", filepath.Join(built, file)}
		spec := proc.Spec{Name: "build-" + filepath.Base(source), Path: filepath.Join(b.Bin, "postern"), Args: args, Dir: b.Root}
		if err := b.Group.Run(ctx, spec, io.Discard); err != nil {
			return fmt.Errorf("cannot build a module: %w", err)
		}
		if err := replace(filepath.Join(built, file), filepath.Join(dir, file)); err != nil {
			return fmt.Errorf("cannot put a module in its place: %w", err)
		}
	}
	return nil
}

// replace makes the file at to a copy of that at from, unless it is one already.
func replace(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	old, err := os.ReadFile(to)
	if err == nil && bytes.Equal(old, data) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	temporary := to + ".tmp" // not a module by its name, so nobody loads half of it
	if err := os.WriteFile(temporary, data, 0o644); err != nil {
		return err
	}
	return os.Rename(temporary, to)
}
