package build

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNeededPackages: what a build of a guest uses, in whatever release, and nothing for native programs.
func TestNeededPackages(t *testing.T) {
	for name, want := range map[string]bool{
		"clang-14": true, "clang-19": true, "lld-14": true, "wasi-libc": true, "rustc": true, "libstd-rust-1.63": true, "libstd-rust-dev-wasm32": true,
		"libclang-common-19-dev": true, "libclang-rt-14-dev-wasm32": true, "libclang-cpp14": true, "libllvm19": true, "libz3-4": true,
		"clang": false, "npm": false, "libstd-rust-dev": false, "gcc": false, "libc6": false, "libc6-dev": false, "binutils": false, "python3": false, "libstdc++6": false,
	} {
		if compilers.needed.MatchString(name) != want {
			t.Errorf("%s: needed is %v", name, !want)
		}
	}
}

// TestToolchainSum: another lock file is another toolchain.
func TestToolchainSum(t *testing.T) {
	dir := t.TempDir()
	if _, err := toolchainSum(dir); err == nil {
		t.Error("no lock file, and no error")
	}
	sums := map[string]bool{}
	for _, lock := range []string{"{}", "{ }", "{}"} {
		if err := os.WriteFile(filepath.Join(dir, "package-lock.json"), []byte(lock), 0o600); err != nil {
			t.Fatal(err)
		}
		sum, err := toolchainSum(dir)
		if err != nil {
			t.Fatal(err)
		}
		sums[sum] = true
	}
	if len(sums) != 2 {
		t.Errorf("%d sums of two lock files", len(sums))
	}
}

// TestWrappers: each command finds its tree beside itself, wherever that has been moved.
func TestWrappers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a folder")
	if err := writeWrappers(filepath.Join(dir, "bin"), wrappers); err != nil {
		t.Fatal(err)
	}
	for name := range wrappers {
		path := filepath.Join(dir, "bin", name)
		text, err := os.ReadFile(path)
		if err != nil || !executable(path) || strings.Contains(string(text), dir) {
			t.Errorf("%s: %v, %s", name, err, text)
		}
	}
}
