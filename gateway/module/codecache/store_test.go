package codecache

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func open(t testing.TB, most int64) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "cache"), most)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// variant is add with a custom section, so that it has another key.
func variant(name string) []byte {
	return append(append(bytes.Clone(add), 0, byte(len(name)+2), byte(len(name))), name+"."...)
}

func fill(t testing.TB, s *Store, wasm []byte) Key {
	t.Helper()
	if err := s.Fill(t.Context(), wasm, InProcess); err != nil {
		t.Fatal(err)
	}
	if !s.Find(KeyOf(wasm)) {
		t.Fatal("what was just made is not found")
	}
	return KeyOf(wasm)
}

// TestDamageIsFound damages an entry in every way that a disk may.
func TestDamageIsFound(t *testing.T) {
	damage := map[string]func(path string) error{
		"cut off":  func(path string) error { return os.Truncate(path, 100) },
		"empty":    func(path string) error { return os.Truncate(path, 0) },
		"gone":     os.Remove,
		"longer":   func(path string) error { return os.Truncate(path, 1<<20) },
		"a folder": func(path string) error { _ = os.Remove(path); return os.Mkdir(path, 0o700) },
		"a bit": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[20] ^= 1 // an offset of a function, which wazero does not check
			return os.WriteFile(path, b, 0o600)
		},
	}
	for how, do := range damage {
		for _, folder := range []string{"wazero-*", "index"} {
			s := open(t, 0)
			key := fill(t, s, add)
			files, err := filepath.Glob(filepath.Join(s.Dir(), folder, "*"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%q, %v", files, err)
			}
			if err := do(files[0]); err != nil {
				t.Fatal(err)
			}
			if s.Find(key) {
				t.Errorf("%s/%s: found", folder, how)
			}
			if how != "a folder" {
				fill(t, s, add)
			}
		}
	}
}

// TestIndexStaysInside has the index point to a file that is not the cache's.
func TestIndexStaysInside(t *testing.T) {
	s := open(t, 0)
	precious := filepath.Join(s.Dir(), "..", "precious")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	key := KeyOf(add)
	if err := os.WriteFile(s.index(key), []byte(`{"file":"../precious","size":0,"crc":0}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Find(key) {
		t.Error("found")
	}
	s.Forget(key)
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}

func TestTrimKeepsWhatIsUsed(t *testing.T) {
	s := open(t, 1)
	old := time.Now().Add(-time.Hour)
	var keys []Key
	for n, name := range []string{"oldest, used", "old", "just used"} {
		wasm := variant(name)
		key := fill(t, s, wasm)
		source, err := s.Keep(wasm, key)
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			if err := source.Close(); err != nil {
				t.Fatal(err)
			}
		} else {
			defer func() { _ = source.Close() }()
		}
		if n < 2 {
			if err := os.Chtimes(s.index(key), old, old); err != nil {
				t.Fatal(err)
			}
		}
		keys = append(keys, key)
	}
	s.Trim()
	for n, want := range []bool{true, false, true} {
		if got := s.Find(keys[n]); got != want {
			t.Errorf("%d: found %t, want %t", n, got, want)
		}
	}
}

// TestSourceOutlivesItsName has another process trim what this one sleeps on.
func TestSourceOutlivesItsName(t *testing.T) {
	s := open(t, 0)
	source, err := s.Keep(add, KeyOf(add))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(s.Dir(), "source", string(KeyOf(add)))); err != nil {
		t.Fatal(err)
	}
	if wasm, err := source.Read(); err != nil || !bytes.Equal(wasm, add) {
		t.Errorf("%d bytes, %v", len(wasm), err)
	}
	if err := source.Close(); err != nil {
		t.Error(err)
	}
}

func TestDamagedSourceIsRefused(t *testing.T) {
	s := open(t, 0)
	source, err := s.Keep(add, KeyOf(add))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = source.Close() }()
	path := filepath.Join(s.Dir(), "source", string(KeyOf(add)))
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, len(add)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := source.Read(); err == nil {
		t.Error("read")
	}
}

func TestOthersMayNotWrite(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, 0); err == nil || !strings.Contains(err.Error(), "others may write") {
		t.Errorf("got %v", err)
	}
}

func TestLeftoversAreSwept(t *testing.T) {
	s := open(t, 0)
	old := time.Now().Add(-2 * leftover)
	for name, want := range map[string]bool{"new-1": false, "new-2": true, "source/x.1.tmp": false} {
		path := filepath.Join(s.Dir(), name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if !want {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := Open(s.Dir(), 0); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"new-1": false, "new-2": true, "source/x.1.tmp": false} {
		if _, err := os.Stat(filepath.Join(s.Dir(), name)); (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
