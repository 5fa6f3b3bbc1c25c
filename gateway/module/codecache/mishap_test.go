package codecache

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestFolderRemoved empties the cache, folder and all, under a process that uses it.
func TestFolderRemoved(t *testing.T) {
	s := open(t, 0)
	fill(t, s, add)
	remove := func() {
		if err := os.RemoveAll(s.Dir()); err != nil {
			t.Fatal(err)
		}
	}
	remove()
	fill(t, s, add)
	remove()
	source, err := s.Keep(add, KeyOf(add))
	if err != nil {
		t.Fatal(err)
	}
	remove() // the file is open
	if wasm, err := source.Read(); err != nil || KeyOf(wasm) != KeyOf(add) {
		t.Errorf("got %d bytes, %v", len(wasm), err)
	}
	if err := source.Close(); err != nil {
		t.Fatal(err)
	}
	// What others may write to is not used, whenever it came there.
	remove()
	if err := errors.Join(os.Mkdir(s.Dir(), 0o700), os.Chmod(s.Dir(), 0o777)); err != nil {
		t.Fatal(err)
	}
	if err := s.Fill(t.Context(), add, InProcess); err == nil {
		t.Error("a folder that others may write to is used")
	}
}

// TestDamagedSource has the bytes damaged at rest, then under a process that sleeps.
func TestDamagedSource(t *testing.T) {
	s := open(t, 0)
	keep := func() *Source {
		source, err := s.Keep(add, KeyOf(add))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = source.Close() })
		return source
	}
	keep()
	path := filepath.Join(s.Dir(), "source", string(KeyOf(add)))
	damage := func() {
		if err := os.WriteFile(path, make([]byte, len(add)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	damage()
	source := keep()
	if _, err := source.Read(); err != nil {
		t.Errorf("what was damaged before is not kept anew: %v", err)
	}
	damage()
	if _, err := source.Read(); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
}
