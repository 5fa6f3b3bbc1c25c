package codecache

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"
)

var keyForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// held is what the store holds of one module.
type held struct {
	key  Key
	last time.Time // used
	size int64     // of code and bytes
	file string    // of the code; may be empty
}

// Trim removes what has not been used for longest until the store is small enough. What this process has loaded stays,
// and so does what was used within the last minute: another process may be about to read it.
func (s *Store) Trim() {
	all, total := s.held()
	slices.SortFunc(all, func(a, b held) int { return a.last.Compare(b.last) })
	for _, h := range all {
		if total <= s.most {
			return
		}
		if s.using(h.key) || time.Since(h.last) < recent {
			continue
		}
		s.remove(h)
		total -= h.size
	}
}

// recent is how long what was used stays in any case.
const recent = time.Minute

func (s *Store) using(key Key) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used[key] > 0
}

func (s *Store) remove(h held) {
	_ = os.Remove(s.index(h.key)) // first: without it nobody looks for the others
	_ = os.Remove(filepath.Join(s.dir, "source", string(h.key)))
	if h.file != "" {
		_ = os.Remove(filepath.Join(s.dir, h.file))
	}
}

// held lists what the store holds, and how many bytes that is in all. Code that no index knows, of another version of
// wazero perhaps, is listed by itself.
func (s *Store) held() (all []held, total int64) {
	known := map[string]bool{}
	byKey := map[Key]*held{}
	of := func(key Key) *held {
		if byKey[key] == nil {
			byKey[key] = &held{key: key}
		}
		return byKey[key]
	}
	s.each("index/*", func(name string, info os.FileInfo) {
		h := of(Key(filepath.Base(name)))
		h.last = info.ModTime()
		if e, err := s.read(h.key); err == nil {
			h.file, known[e.File] = e.File, true
			h.size += e.Size
		}
	})
	s.each("source/*", func(name string, info os.FileInfo) {
		h := of(Key(filepath.Base(name)))
		h.size += info.Size()
		if h.last.IsZero() {
			h.last = info.ModTime()
		}
	})
	for _, h := range byKey {
		all = append(all, *h)
	}
	s.each("wazero-*/*", func(name string, info os.FileInfo) {
		if !known[name] {
			all = append(all, held{key: Key(filepath.Base(name)), last: info.ModTime(), size: info.Size(), file: name})
		}
	})
	for _, h := range all {
		total += h.size
	}
	return all, total
}

// each calls do for the files of a pattern that are named by a key, with their names below the store's folder.
func (s *Store) each(pattern string, do func(name string, info os.FileInfo)) {
	paths, _ := filepath.Glob(filepath.Join(s.dir, pattern)) // the pattern is good
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || !keyForm.MatchString(filepath.Base(path)) {
			continue
		}
		if name, err := filepath.Rel(s.dir, path); err == nil {
			do(name, info)
		}
	}
}
