package build

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/posternhq/postern/bench/stack/proc"
)

// compilers are the Debian packages that modules in C and Rust are built with, whatever their version in this release. The
// rest of what they depend on is for native programs.
var compilers = tree{
	roots: []string{"clang", "lld", "wasi-libc", "libclang-rt-dev-wasm32", "rustc", "libstd-rust-dev-wasm32"},
	needed: regexp.MustCompile(`^(clang-\d+|lld-\d+|wasi-libc|rustc|libclang-(common|rt)-\d+-dev.*|libclang-cpp\S+|libllvm\S+|libstd-rust-\d\S*|` +
		`libstd-rust-dev-wasm32|libz3-4|libxml2|libedit2|libbsd0|libmd0|libtinfo6|libffi\d+|libicu\d+)$`),
}

// wrappers are the commands of the toolchain. Each finds its libraries beside itself.
var wrappers = map[string]string{
	"clang": `exec "$(ls "$root"/usr/bin/clang-[0-9]* | head -n 1)" "$@"`,
	"rustc": `PATH="$root/usr/bin:$PATH" exec "$root/usr/bin/rustc" "$@"`,
	"asc":   `unset LD_LIBRARY_PATH; PATH="$PATH:$root/node/bin" exec node "$root/npm/node_modules/assemblyscript/bin/asc.js" "$@"`,
}

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
	if err := b.debianTree(ctx, compilers, dir); err != nil {
		return err
	}
	if err := b.npm(ctx, dir, locks); err != nil {
		return err
	}
	if err := writeWrappers(filepath.Join(dir, "bin"), wrappers); err != nil {
		return err
	}
	if err := os.WriteFile(stamp, []byte(sum), 0o644); err != nil {
		return fmt.Errorf("cannot note what the toolchain was made of: %w", err)
	}
	b.Say("the compilers are there, after %s", time.Since(start).Round(time.Second))
	return nil
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

// toolchainSum is a checksum of what decides which compilers there are.
func toolchainSum(locks string) (string, error) {
	lock, err := os.ReadFile(filepath.Join(locks, "package-lock.json"))
	if err != nil {
		return "", fmt.Errorf("cannot read the lock file of the AssemblyScript compiler: %w", err)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, compilers.roots, compilers.needed, wrapper, wrappers, nodeFor, npmItself)
	sum.Write(lock)
	return hex.EncodeToString(sum.Sum(nil)), nil
}
