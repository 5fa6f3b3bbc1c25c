// Package codecache keeps the machine code of modules on disk, in the form of wazero's compilation cache, and has it made
// in a process of its own.
package codecache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// DefaultSize is how many bytes a store keeps unless told otherwise: some thirty Go modules of 6 MB.
const DefaultSize = 1 << 30

// Compile fills an empty folder, as wazero's compilation cache, with the machine code of a module.
type Compile func(ctx context.Context, dir string, wasm []byte) error

// Key names a module by the sha256 of the bytes that are compiled, in hex.
type Key string

// KeyOf is the key of a module's bytes.
func KeyOf(wasm []byte) Key {
	sum := sha256.Sum256(wasm)
	return Key(hex.EncodeToString(sum[:]))
}

// Store is a folder of machine code. Several processes may use one: entries come by rename, and one that another process
// has removed is made again.
//
//	wazero-VERSION-ARCH-OS/…   machine code, as wazero names and reads it
//	index/KEY                  which of them belongs to the module with that key, and its checksum
//	source/KEY                 the module's bytes, to wake it from
//	new-…                      what is being made
type Store struct {
	dir  string
	most int64 // bytes

	mu   sync.Mutex
	used map[Key]int // by modules of this process that are loaded, also those that sleep; never trimmed
}

// leftover is how old something unfinished must be to be nobody's any more: a compilation has a deadline far below it.
const leftover = time.Hour

// Open uses dir, which it makes if it is not there, for at most so many bytes (0: DefaultSize). A folder that others may
// write to is refused: what lies there is run as machine code.
func Open(dir string, most int64) (*Store, error) {
	s := &Store{dir: dir, most: most, used: map[Key]int{}}
	if s.most <= 0 {
		s.most = DefaultSize
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	s.sweep()
	return s, nil
}

// prepare makes the store's folders as far as they are not there: somebody who empties the cache removes them too, under a
// gateway that runs.
func (s *Store) prepare() error {
	for _, folder := range []string{s.dir, filepath.Join(s.dir, "index"), filepath.Join(s.dir, "source")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return fmt.Errorf("cannot make the cache of compiled modules: %w", err)
		}
		info, err := os.Stat(folder)
		if err != nil {
			return fmt.Errorf("cannot use the cache of compiled modules: %w", err)
		}
		if !ours(info) {
			return fmt.Errorf("cannot keep compiled modules in %q: others may write to it (chmod go-w, or another postern.modules.cacheDir)", folder)
		}
	}
	return nil
}

// Dir is the folder that wazero reads.
func (s *Store) Dir() string { return s.dir }

// ours says whether nobody but this process's user, and root, may write there.
func ours(info fs.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	return info.IsDir() && info.Mode().Perm()&0o022 == 0 && (!ok || owner.Uid == 0 || int(owner.Uid) == os.Geteuid())
}

// sweep removes what a process left unfinished.
func (s *Store) sweep() {
	for _, pattern := range []string{"new-*", "index/*.tmp", "source/*.tmp"} {
		names, _ := filepath.Glob(filepath.Join(s.dir, pattern)) // the pattern is good
		for _, name := range names {
			if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > leftover {
				_ = os.RemoveAll(name)
			}
		}
	}
}

// use keeps key from being trimmed until unuse is called as often.
func (s *Store) use(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[key]++
}

// unuse is the end of a use.
func (s *Store) unuse(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used[key]--; s.used[key] <= 0 {
		delete(s.used, key)
	}
}

// Fill has compile make the code of wasm in a folder of its own, and takes over what it made once it is whole.
func (s *Store) Fill(ctx context.Context, wasm []byte, compile Compile) error {
	if err := s.prepare(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.dir, "new-*")
	if err != nil {
		return fmt.Errorf("cannot make a folder to compile in: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := compile(ctx, dir, wasm); err != nil {
		return err
	}
	made, err := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
	if err != nil || len(made) != 1 {
		return errors.Join(fmt.Errorf("the compiler made %d files, want one", len(made)), err)
	}
	name, err := filepath.Rel(dir, made[0])
	if err != nil {
		return err
	}
	e := entry{File: name}
	if e.Size, e.CRC, err = sum(made[0]); err != nil {
		return err
	}
	target := filepath.Join(s.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(target), 0o700), os.Rename(made[0], target)); err != nil {
		return fmt.Errorf("cannot keep the compiled module: %w", err)
	}
	return s.write(KeyOf(wasm), e)
}
