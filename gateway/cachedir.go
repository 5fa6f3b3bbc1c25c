package gateway

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// cacheDir is where compiled modules are kept, made if it is not there: dir, or by default a folder in the user's cache.
// What lies there is run as machine code, so a folder that somebody else may write to is refused, and empty is returned.
func cacheDir(dir string) (string, error) {
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("cannot keep compiled modules: %w", err)
		}
		dir = filepath.Join(base, "postern", "wasm")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make the cache of compiled modules: %w", err)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("cannot use the cache of compiled modules: %w", err)
	}
	if !ours(info) {
		return "", fmt.Errorf("cannot keep compiled modules in %q: others may write to it", dir)
	}
	return dir, nil
}

// ours says whether nobody but this process's user, and root, may write there.
func ours(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().Perm()&0o022 == 0 && (!ok || owner.Uid == 0 || int(owner.Uid) == os.Geteuid())
}
