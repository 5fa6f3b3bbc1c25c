package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// compileGo compiles a package main for wasip1. Without symbols and paths a module is half a megabyte smaller, and the same
// bytes on every machine.
func compileGo(ctx context.Context, dir, out string) error {
	compiler, err := tool("install Go 1.26 or newer, see https://go.dev/doc/install", "go")
	if err != nil {
		return err
	}
	return run(ctx, dir, []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"},
		compiler, "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
}

// compileC compiles the C files of dir with clang. With wasi-libc the guest has the C library; without it, postern.h alone.
func compileC(ctx context.Context, dir, out string) error {
	compiler, err := tool("apt install clang lld wasi-libc", "clang", "clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-16", "clang-14")
	if err != nil {
		return err
	}
	args := []string{"-O2", "-std=c11", "-Wall", "-Wextra", "-ffile-prefix-map=" + dir + "=.", "-Wl,--strip-all", "-o", out}
	if root := sysroot(compiler); root != "" {
		args = append(args, "--target=wasm32-wasi", "--sysroot="+root, "-mexec-model=reactor")
	} else {
		args = append(args, "--target=wasm32", "-nostdlib", "-ffreestanding", "-Wl,--no-entry")
	}
	err = run(ctx, dir, nil, compiler, append(args, sources(dir, "*.c")...)...)
	return hint(err, "wasm-ld", "clang's linker for WebAssembly is missing: apt install lld")
}

// sysroot is where wasi-libc is: $WASI_SYSROOT, beside the compiler, or where Debian puts it; empty without it.
func sysroot(compiler string) string {
	beside := filepath.Dir(compiler)
	for _, root := range []string{
		os.Getenv("WASI_SYSROOT"), filepath.Join(beside, "..", "usr"), filepath.Join(beside, ".."), filepath.Join(beside, "..", "share", "wasi-sysroot"), "/usr",
	} {
		if _, err := os.Stat(filepath.Join(root, "include", "wasm32-wasi", "stdio.h")); root != "" && err == nil {
			return root
		}
	}
	return ""
}

// compileRust compiles lib.rs or src/lib.rs with rustc; a folder with a Cargo.toml with cargo.
func compileRust(ctx context.Context, dir, out string) error {
	const target = "wasm32-unknown-unknown"
	const missing = "rustc has no library for " + target + ": apt install libstd-rust-dev-wasm32 (Debian's rustc) or rustup target add " + target
	if _, err := os.Stat(filepath.Join(dir, "Cargo.toml")); err == nil {
		return hint(compileCargo(ctx, dir, out, target), "E0463", missing)
	}
	compiler, err := tool("apt install rustc libstd-rust-dev-wasm32 lld", "rustc")
	if err != nil {
		return err
	}
	roots := sources(dir, "lib.rs")
	if len(roots) == 0 {
		return fmt.Errorf("cannot compile %s: there is neither lib.rs nor src/lib.rs", dir)
	}
	err = run(ctx, dir, nil, compiler, "--edition=2021", "--crate-name=module", "--crate-type=cdylib", "--target="+target,
		"-Copt-level=s", "-Cstrip=symbols", "-Cpanic=abort", "-o", out, roots[0])
	return hint(hint(err, "E0463", missing), "rust-lld", "rustc's linker is missing: apt install lld")
}

// compileCargo has cargo build a cdylib and takes what it made.
func compileCargo(ctx context.Context, dir, out, target string) error {
	compiler, err := tool("apt install cargo, or see https://rustup.rs", "cargo")
	if err != nil {
		return err
	}
	built := filepath.Join(filepath.Dir(out), "cargo")
	if err := run(ctx, dir, nil, compiler, "build", "--release", "--target="+target, "--target-dir="+built); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(built, target, "release", "*.wasm"))
	if err != nil || len(files) != 1 {
		return fmt.Errorf("cannot find what cargo made in %s: %d .wasm files; the crate needs `crate-type = [\"cdylib\"]`", dir, len(files))
	}
	return os.Rename(files[0], out)
}

// compileAssemblyScript compiles index.ts with asc: the folder's own, one of our toolchain, or one on the PATH.
func compileAssemblyScript(ctx context.Context, dir, out string) error {
	compiler := filepath.Join(dir, "node_modules", ".bin", "asc")
	if path, err := filepath.Abs(compiler); err == nil {
		compiler = path
	}
	if _, err := os.Stat(compiler); err != nil {
		if compiler, err = tool(fmt.Sprintf("run `npm ci` in %q (it needs Node.js 18 or newer: apt install nodejs npm)", dir), "asc"); err != nil {
			return err
		}
	}
	entry := "index.ts"
	if _, err := os.Stat(filepath.Join(dir, entry)); err != nil {
		entry = filepath.Join("assembly", "index.ts")
	}
	args := []string{entry, "--outFile", out, "-O2", "--exportStart", "_initialize", "--runtime", "incremental", "--noColors"}
	sdk := strings.TrimSuffix(entry, "index.ts") + "postern"
	if _, err := os.Stat(filepath.Join(dir, sdk+".ts")); err == nil {
		// AssemblyScript would import abort from a host of JavaScript.
		args = append(args, "--use", "abort="+filepath.ToSlash(sdk)+"/abort")
	}
	return run(ctx, dir, nil, compiler, args...)
}

// hint adds help to a compiler's failure whose output has mark.
func hint(err error, mark, help string) error {
	var failed *compileError
	if errors.As(err, &failed) && strings.Contains(failed.output, mark) {
		return fmt.Errorf("%w\n%s", err, help)
	}
	return err
}
