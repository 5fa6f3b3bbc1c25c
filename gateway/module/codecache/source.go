package codecache

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxSource bounds a module's bytes after rewriting.
const maxSource = 128 << 20

// Source are the bytes of a module that lie on disk, not in memory. The file stays open: another process that shares the
// store may remove its name.
type Source struct {
	store *Store
	key   Key // of the bytes
	code  Key // of what is compiled of them
	file  *os.File
}

// Keep puts bytes on disk, unless they are there and whole, and keeps them and the code that is made of them from being trimmed until
// Close.
func (s *Store) Keep(wasm []byte, code Key) (*Source, error) {
	key := KeyOf(wasm)
	path := filepath.Join(s.dir, "source", string(key))
	if kept, err := readFile(path, maxSource); err != nil || KeyOf(kept) != key {
		if err := errors.Join(s.prepare(), writeFile(path, wasm)); err != nil {
			return nil, err
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot keep the module's bytes: %w", err)
	}
	s.use(key)
	s.use(code)
	return &Source{s, key, code, f}, nil
}

// ErrDamaged is why a Source cannot be read that is no longer what was kept.
var ErrDamaged = errors.New("the module's bytes in the cache are damaged")

// Read gives the bytes. They are checked against the key.
func (s *Source) Read() ([]byte, error) {
	info, err := s.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot read the module's bytes: %w", err)
	}
	if info.Size() > maxSource {
		return nil, ErrDamaged
	}
	wasm := make([]byte, info.Size())
	if _, err := s.file.ReadAt(wasm, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("cannot read the module's bytes: %w", err)
	}
	if KeyOf(wasm) != s.key {
		return nil, ErrDamaged
	}
	return wasm, nil
}

// Close lets the store trim the bytes, and the code that belongs to them.
func (s *Source) Close() error {
	s.store.unuse(s.key)
	s.store.unuse(s.code)
	return s.file.Close()
}
