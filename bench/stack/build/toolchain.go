package build

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/bench/stack/proc"
)

// compilers are the Debian packages that modules in C and Rust are built with, whatever their version in this release.
var compilers = []string{"clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32", "rustc", "libstd-rust-dev-wasm32"}

// needed are those of the packages above and of what they depend on that a build of a guest uses. The rest of them is for
// native programs, or on every machine that has a C library.
var needed = regexp.MustCompile(`^(clang-\d+|lld-\d+|wasi-libc|rustc|libclang-(common|rt)-\d+-dev.*|libclang-cpp\S+|libllvm\S+|libstd-rust-\d\S*|` +
	`libstd-rust-dev-wasm32|libz3-4|libxml2|libedit2|libbsd0|libmd0|libtinfo6|libffi\d+|libicu\d+)$`)

// wrappers are the commands of the toolchain. Each finds its libraries beside itself.
var wrappers = map[string]string{
	"clang": `exec "$(ls "$root"/usr/bin/clang-[0-9]* | head -n 1)" "$@"`,
	"rustc": `PATH="$root/usr/bin:$PATH" exec "$root/usr/bin/rustc" "$@"`,
	"asc":   `unset LD_LIBRARY_PATH; PATH="$PATH:$root/node/bin" exec node "$root/npm/node_modules/assemblyscript/bin/asc.js" "$@"`,
}

// wrapper begins each of them.
const wrapper = `#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
LD_LIBRARY_PATH=$(echo "$root"/usr/lib/*-linux-*)${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export LD_LIBRARY_PATH
`

// Toolchain puts compilers of C, Rust and AssemblyScript for WebAssembly into dir: dir/bin has clang, rustc and asc. Nothing
// is installed and no root is needed.
func (b *Builder) Toolchain(ctx context.Context, dir string) error {
	return b.exclusive(ctx, "apt", func() error { return b.toolchain(ctx, dir) })
}

func (b *Builder) toolchain(ctx context.Context, dir string) error {
	locks := filepath.Join(b.Root, "hostabi", "assemblyscript")
	sum, err := toolchainSum(locks)
	if err != nil {
		return err
	}
	stamp := filepath.Join(dir, "sum")
	if old, err := os.ReadFile(stamp); err == nil && string(old) == sum {
		return nil
	}
	start := time.Now()
	b.Say("fetching compilers for modules in C, Rust (Debian packages, 130 MB) and AssemblyScript (npm, 10 MB); they are unpacked under %s, not installed", dir)
	if err := b.debianTree(ctx, filepath.Join(b.Root, ".postern", "apt"), dir); err != nil {
		return err
	}
	if err := b.npm(ctx, dir, locks); err != nil {
		return err
	}
	if err := writeWrappers(filepath.Join(dir, "bin")); err != nil {
		return err
	}
	if err := os.WriteFile(stamp, []byte(sum), 0o644); err != nil {
		return fmt.Errorf("cannot note what the toolchain was made of: %w", err)
	}
	b.Say("the compilers are there, after %s", time.Since(start).Round(time.Second))
	return nil
}

// debianTree unpacks all packages into one tree.
func (b *Builder) debianTree(ctx context.Context, apt, dir string) error {
	var packages []string
	err := b.download(ctx, apt, func() (_ []string, err error) {
		packages, err = b.closure(ctx, apt, compilers)
		return packages, err
	})
	if err != nil {
		return fmt.Errorf("cannot fetch the Debian packages %s (their programs need network once, and an apt that knows a Debian mirror): %w", strings.Join(compilers, ", "), err)
	}
	files := make([]string, len(packages))
	for i, pkg := range packages {
		if files[i], err = packageFile(apt, pkg); err != nil {
			return err
		}
	}
	if err := b.unpack(ctx, dir, files...); err != nil {
		return fmt.Errorf("cannot unpack the compilers: %w", err)
	}
	return nil
}

// closure is those of roots and of all that they depend on which are needed, by apt's lists.
func (b *Builder) closure(ctx context.Context, apt string, roots []string) ([]string, error) {
	options, err := aptFolders(apt)
	if err != nil {
		return nil, err
	}
	args := append(options, "depends", "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances")
	var out bytes.Buffer
	if err := b.Group.Run(ctx, proc.Spec{Name: "apt-depends", Path: "apt-cache", Args: append(args, roots...)}, &out); err != nil {
		return nil, err
	}
	var packages []string
	for line := range strings.Lines(out.String()) {
		if name := strings.TrimSuffix(line, "\n"); needed.MatchString(name) {
			packages = append(packages, name)
		}
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	if len(packages) < len(roots) {
		return nil, errors.New("apt does not know the packages")
	}
	return packages, nil
}

// npm installs the AssemblyScript compiler as its lock file says.
func (b *Builder) npm(ctx context.Context, dir, locks string) error {
	npm, err := b.node(ctx, dir)
	if err != nil {
		return err
	}
	folder := filepath.Join(dir, "npm")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("cannot make a folder: %w", err)
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		if err := replace(filepath.Join(locks, name), filepath.Join(folder, name)); err != nil {
			return fmt.Errorf("cannot copy %s: %w", name, err)
		}
	}
	args := append(npm[1:], "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--cache", filepath.Join(b.Root, ".postern", "npm-cache"))
	if err := b.Group.Run(ctx, proc.Spec{Name: "npm-ci", Path: npm[0], Args: args, Dir: folder}, io.Discard); err != nil {
		return fmt.Errorf("cannot fetch the AssemblyScript compiler: %w", err)
	}
	return nil
}

func writeWrappers(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make a folder: %w", err)
	}
	for name, line := range wrappers {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(wrapper+line+"\n"), 0o755); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return nil
}

// toolchainSum is a checksum of what decides which compilers there are.
func toolchainSum(locks string) (string, error) {
	lock, err := os.ReadFile(filepath.Join(locks, "package-lock.json"))
	if err != nil {
		return "", fmt.Errorf("cannot read the lock file of the AssemblyScript compiler: %w", err)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, compilers, needed, wrapper, wrappers, nodeFor, npmItself)
	sum.Write(lock)
	return hex.EncodeToString(sum.Sum(nil)), nil
}
