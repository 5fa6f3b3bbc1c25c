package source

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// tool finds a compiler: in $POSTERN_TOOLCHAIN, in the folder that `make toolchain` fills beside the program, then on the
// PATH. help says what to install when it is nowhere.
func tool(help string, names ...string) (string, error) {
	for _, dir := range toolchains() {
		for _, name := range names {
			path := filepath.Join(dir, name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return filepath.Abs(path)
			}
		}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", fmt.Errorf("cannot find %s: %s", names[0], help)
}

// toolchains are the folders that are looked at before the PATH: .postern/toolchain/bin for .postern/bin/postern.
func toolchains() (dirs []string) {
	if dir := os.Getenv("POSTERN_TOOLCHAIN"); dir != "" {
		dirs = append(dirs, dir)
	}
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Join(filepath.Dir(self), "..", "toolchain", "bin"))
	}
	return dirs
}

// sources are the files of dir and of its folder src that match pattern.
func sources(dir, pattern string) (files []string) {
	for _, folder := range []string{".", "src"} {
		found, _ := filepath.Glob(filepath.Join(escapeGlob(dir), folder, pattern))
		for _, path := range found {
			files = append(files, filepath.Join(folder, filepath.Base(path)))
		}
	}
	return files
}
