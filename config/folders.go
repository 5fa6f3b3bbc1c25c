package config

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// folderSet watches the folder of the file, and that of the file it links to.
type folderSet struct {
	watcher *fsnotify.Watcher // nil if there is none to be had
	names   map[string]bool   // of the files that matter
}

func openFolders() *folderSet {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		watcher = nil
	}
	return &folderSet{watcher: watcher}
}

func (s *folderSet) close() {
	if s.watcher != nil {
		_ = s.watcher.Close() // nothing is lost with it
	}
}

func (s *folderSet) events() <-chan fsnotify.Event {
	if s.watcher == nil {
		return nil
	}
	return s.watcher.Events
}

func (s *folderSet) errors() <-chan error {
	if s.watcher == nil {
		return nil
	}
	return s.watcher.Errors
}

// follow watches the folders that file is in now. It is called again after
// each change, since links move and folders are made anew; adding a folder
// that is watched already does nothing.
func (s *folderSet) follow(file string) {
	if s.watcher == nil || file == "" {
		return
	}
	files := []string{file}
	if target, err := filepath.EvalSymlinks(file); err == nil {
		files = append(files, target)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return
	}
	s.names = map[string]bool{"..data": true} // the link that a ConfigMap's volume swaps
	wanted := map[string]bool{}
	for _, f := range files {
		s.names[filepath.Base(f)] = true
		wanted[filepath.Dir(f)] = true
		_ = s.watcher.Add(filepath.Dir(f)) // gone, or no watches left: the backstop sees to it
	}
	for _, folder := range s.watcher.WatchList() {
		if !wanted[folder] {
			_ = s.watcher.Remove(folder)
		}
	}
}

func (s *folderSet) concerns(e fsnotify.Event) bool { return s.names[filepath.Base(e.Name)] }
