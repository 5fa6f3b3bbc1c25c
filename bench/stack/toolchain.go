package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/posternhq/postern/bench/stack/build"
	"github.com/posternhq/postern/bench/stack/proc"
)

// Toolchain fetches the compilers that modules in C, Rust and AssemblyScript are built with into .postern/toolchain of the
// repository, and starts nothing.
func Toolchain(ctx context.Context, options Options) error {
	return fetch(options, "toolchain", func(b *build.Builder, dir string) error { return b.Toolchain(ctx, dir) })
}

// Servers fetches the servers that tests start for themselves into .postern/servers of the repository, and starts nothing.
func Servers(ctx context.Context, options Options) error {
	return fetch(options, "servers", func(b *build.Builder, dir string) error { return b.Servers(ctx, dir) })
}

// fetch has work fill a folder of .postern.
func fetch(options Options, folder string, work func(b *build.Builder, dir string) error) error {
	root, err := findRoot()
	if err != nil {
		return err
	}
	logs := filepath.Join(root, ".postern", "build", "logs")
	bin := filepath.Join(root, ".postern", "bin")
	if err := errors.Join(os.MkdirAll(logs, 0o755), os.MkdirAll(bin, 0o755)); err != nil {
		return fmt.Errorf("cannot make a folder: %w", err)
	}
	group := proc.NewGroup(logs)
	out := &console{out: options.Out, start: time.Now()}
	b := &build.Builder{Root: root, Bin: bin, Group: group, Say: out.Say}
	return errors.Join(work(b, filepath.Join(root, ".postern", folder)), group.Stop())
}
