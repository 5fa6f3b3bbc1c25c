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

const (
	// suffix is how a module's file name ends; other files in the folder are ignored.
	suffix = ".wasm"
	// markSuffix is how the file beside a module's file is named that keeps the module from being served: a.wasm.disabled.
	markSuffix = ".disabled"
)

// stamp tells whether a file may have changed, without reading it.
type stamp struct {
	size     int64
	modified time.Time
	info     os.FileInfo // for os.SameFile: a rename over it keeps neither inode nor, perhaps, time
}

func (s stamp) equal(o stamp) bool {
	return s.info != nil && o.info != nil && s.size == o.size && s.modified.Equal(o.modified) && os.SameFile(s.info, o.info)
}

// file is one module file of the folder.
type file struct {
	stamp    stamp
	disabled bool // its mark lies beside it
}

// list are the module files of a folder. A folder that does not exist has none.
func list(dir string) (map[string]file, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the folder of modules: %w", err)
	}
	marked := map[string]bool{}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), markSuffix); ok {
			marked[name] = true
		}
	}
	files := map[string]file{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), suffix) {
			continue
		}
		// Stat follows links: a ConfigMap's files are links that stay while what they point to changes.
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		files[e.Name()] = file{stamp{info.Size(), info.ModTime(), info}, marked[e.Name()]}
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
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", path, err)
	}
	if info.Size() > module.MaxSize { // before anything is read: it is tried again at each look
		return nil, fmt.Errorf("%q has more than %d bytes", path, module.MaxSize)
	}
	b, err := io.ReadAll(io.LimitReader(f, module.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %q: %w", path, err)
	}
	if len(b) > module.MaxSize {
		return nil, fmt.Errorf("%q has more than %d bytes", path, module.MaxSize)
	}
	return b, nil
}

// unfinished is how files are named until they are whole.
const unfinished = ".postern-*.tmp"

// leftover is how old an unfinished file must be to be nobody's any more: writing one takes seconds.
const leftover = time.Hour

// tidy removes what gateways that were killed have left unfinished in some folders, and returns how many files.
func tidy(folders ...string) (removed int) {
	for _, folder := range folders {
		names, _ := filepath.Glob(filepath.Join(folder, unfinished)) // a folder whose name is a bad pattern keeps its files
		for _, name := range names {
			if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > leftover && os.Remove(name) == nil {
				removed++
			}
		}
	}
	return removed
}

// replace puts a file in the place of what has its name, if anything, by a rename: nobody sees half of it.
func replace(path string, content []byte, mode os.FileMode) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(content)
	if e := tmp.Chmod(mode); err == nil {
		err = e
	}
	if e := tmp.Sync(); err == nil { // a crash after the rename must not leave an empty file
		err = e
	}
	if e := tmp.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
