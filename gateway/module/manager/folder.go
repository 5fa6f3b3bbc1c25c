package manager

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module"
)

// suffix is how a module's file name ends; other files in the folder are ignored.
const suffix = ".wasm"

// stamp tells whether a file may have changed, without reading it.
type stamp struct {
	size     int64
	modified time.Time
	info     os.FileInfo // for os.SameFile: a rename over it keeps neither inode nor, perhaps, time
}

func (s stamp) equal(o stamp) bool {
	return s.size == o.size && s.modified.Equal(o.modified) && os.SameFile(s.info, o.info)
}

// list are the module files of a folder and their stamps. A folder that does not exist has none.
func list(dir string) (map[string]stamp, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the folder of modules: %w", err)
	}
	files := map[string]stamp{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		// Stat follows links: a ConfigMap's files are links that stay while what they point to changes.
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		files[e.Name()] = stamp{info.Size(), info.ModTime(), info}
	}
	return files, nil
}

// read reads a module's file, at most module.MaxSize bytes.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, module.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", path, err)
	}
	if len(b) > module.MaxSize {
		return nil, fmt.Errorf("%q has more than %d bytes", path, module.MaxSize)
	}
	return b, nil
}
