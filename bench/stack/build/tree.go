package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/posternhq/postern/bench/stack/proc"
)

// tree is Debian packages that are unpacked into one folder: roots, and of what they depend on what is needed. The rest is on
// every machine that has a C library, or is not used.
type tree struct {
	roots  []string
	needed *regexp.Regexp
}

// wrapper begins each command of a tree. It finds its libraries beside itself.
const wrapper = `#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
LD_LIBRARY_PATH=$(echo "$root"/usr/lib/*-linux-*)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
`

// debianTree unpacks the packages of t into dir.
func (b *Builder) debianTree(ctx context.Context, t tree, dir string) error {
	apt := filepath.Join(b.Root, ".postern", "apt")
	var packages []string
	err := b.download(ctx, apt, func() (_ []string, err error) {
		packages, err = b.closure(ctx, apt, t)
		return packages, err
	})
	if err != nil {
		return fmt.Errorf("cannot fetch the Debian packages %s (their programs need network once, and an apt that knows a Debian mirror): %w",
			strings.Join(t.roots, ", "), err)
	}
	files := make([]string, len(packages))
	for i, pkg := range packages {
		if files[i], err = packageFile(apt, pkg); err != nil {
			return err
		}
	}
	if err := b.unpack(ctx, dir, files...); err != nil {
		return fmt.Errorf("cannot unpack the Debian packages %s: %w", strings.Join(t.roots, ", "), err)
	}
	return nil
}

// closure is those of roots and of all that they depend on which are needed, by apt's lists.
func (b *Builder) closure(ctx context.Context, apt string, t tree) ([]string, error) {
	options, err := aptFolders(apt)
	if err != nil {
		return nil, err
	}
	args := append(options, "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances")
	var out bytes.Buffer
	if err := b.Group.Run(ctx, proc.Spec{Name: "apt-depends", Path: "apt-cache", Args: append(args, t.roots...)}, &out); err != nil {
		return nil, err
	}
	var packages []string
	for line := range strings.Lines(out.String()) {
		if name := strings.TrimSuffix(line, "\n"); t.needed.MatchString(name) {
			packages = append(packages, name)
		}
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	if len(packages) < len(t.roots) {
		return nil, errors.New("apt does not know the packages")
	}
	return packages, nil
}

// writeWrappers puts commands into dir: the last line of each, by name.
func writeWrappers(dir string, commands map[string]string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make a folder: %w", err)
	}
	for name, line := range commands {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(wrapper+line+"\n"), 0o755); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return nil
}
