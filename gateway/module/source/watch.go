package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	settle     = 100 * time.Millisecond // a change is told when nothing has changed for so long
	maxFolders = 256                    // that are watched; each costs a descriptor of inotify
)

// Watch tells of changes of the files in dir and its folders, and of the folders that the patterns of more lie in, until ctx
// ends: the channel is closed then. Hidden folders, node_modules, target and .wasm files do not count.
func Watch(ctx context.Context, dir string, more []string) (<-chan struct{}, error) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("cannot watch %q: %w", dir, err)
	}
	if err := addFolders(watcher, dir, more); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot watch %q: %w", dir, err), watcher.Close())
	}
	changes := make(chan struct{}, 1)
	go func() {
		defer close(changes)
		defer func() { _ = watcher.Close() }()
		tell(ctx, watcher, changes)
	}()
	return changes, nil
}

func addFolders(watcher *fsnotify.Watcher, dir string, more []string) error {
	for _, pattern := range more {
		if err := watcher.Add(filepath.Dir(pattern)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if path != dir && ignored(path) {
			return filepath.SkipDir
		}
		if len(watcher.WatchList()) >= maxFolders {
			return fmt.Errorf("more than %d folders", maxFolders)
		}
		return watcher.Add(path)
	})
}

// ignored says that a change of the file or folder is none of the module's sources.
func ignored(path string) bool {
	name := filepath.Base(path)
	return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || filepath.Ext(name) == ".wasm" || name == "node_modules" || name == "target"
}

// tell passes changes on once they have settled.
func tell(ctx context.Context, watcher *fsnotify.Watcher, changes chan<- struct{}) {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e, ok := <-watcher.Events:
			if !ok {
				return
			}
			if ignored(e.Name) || e.Op == fsnotify.Chmod {
				continue
			}
			if info, err := os.Stat(e.Name); err == nil && info.IsDir() {
				_ = watcher.Add(e.Name) // a new folder; at worst its changes are not seen
			}
			timer.Reset(settle)
		case <-watcher.Errors: // events were lost: something has changed
			timer.Reset(settle)
		case <-timer.C:
			select {
			case changes <- struct{}{}:
			default:
			}
		}
	}
}
