package oci

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestCacheServesWithoutTheRegistry(t *testing.T) {
	reg := serve(t)
	module := wasm('a', 1000)
	digest := mustPush(t, reg.at(t, ":1"), module)
	opts := alone(t)
	opts.Cache = openCache(t, 0)
	if a, err := Pull(t.Context(), reg.at(t, ":1"), opts); err != nil || a.Cached || a.Uncached != nil {
		t.Fatalf("got %v, %v", a, err)
	}
	reg.Close()
	a, err := Pull(t.Context(), reg.at(t, ":1@"+digest), opts)
	if err != nil || !a.Cached || !bytes.Equal(a.Bytes, module) || a.Digest != digest {
		t.Errorf("got %v, %v", a, err)
	}
	if _, err := Pull(t.Context(), reg.at(t, ":1"), opts); err == nil {
		t.Error("a tag was resolved without the registry")
	}
}

func openCache(t *testing.T, limit int64) *Cache {
	t.Helper()
	c, err := OpenCache(filepath.Join(t.TempDir(), "cache"), limit)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCacheDamaged(t *testing.T) {
	reg := serve(t)
	module := wasm('a', 1000)
	digest := mustPush(t, reg.at(t, ":1"), module)
	opts := alone(t)
	opts.Cache = openCache(t, 0)
	for name, damage := range map[string]func(path string) error{
		"content": func(path string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 1000), 0o644) },
		"length":  func(path string) error { return os.WriteFile(path, []byte("x"), 0o644) },
		"missing": os.Remove,
	} {
		for _, hex := range []string{sum(module), strings.TrimPrefix(digest, "sha256:")} {
			if _, err := Pull(t.Context(), reg.at(t, "@"+digest), opts); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(opts.Cache.dir, "blobs", "sha256", hex)
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			a, err := Pull(t.Context(), reg.at(t, "@"+digest), opts)
			if err != nil || a.Cached || a.Uncached != nil || !bytes.Equal(a.Bytes, module) {
				t.Errorf("%s of %s: got %v, %v", name, hex, a, err)
			}
			if a, err = Pull(t.Context(), reg.at(t, "@"+digest), opts); err != nil || !a.Cached {
				t.Errorf("%s of %s: not mended: %v, %v", name, hex, a, err)
			}
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	layout := "oci-layout://" + t.TempDir()
	opts := alone(t)
	opts.Cache = openCache(t, 5000)
	var refs []Reference
	for i := range 4 {
		tag := layout + ":" + string(rune('a'+i))
		refs = append(refs, reference(t, tag+"@"+mustPush(t, reference(t, tag), wasm(byte('a'+i), 1500))))
	}
	pull := func(i int) *Artifact {
		t.Helper()
		a, err := Pull(t.Context(), refs[i], opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, hex := range []string{a.Module, strings.TrimPrefix(a.Digest, "sha256:")} {
			// Uses are an hour apart, in this order, whatever the file system's clock can tell.
			at := time.Now().Add(time.Duration(clock-100) * time.Hour)
			if err := os.Chtimes(filepath.Join(opts.Cache.dir, "blobs", "sha256", hex), at, at); err != nil {
				t.Fatal(err)
			}
		}
		clock++
		return a
	}
	pull(0)
	pull(1)
	pull(0) // a is now younger than b
	pull(2) // b goes
	if a := pull(0); !a.Cached {
		t.Error("what was used last was evicted")
	}
	if a := pull(1); a.Cached {
		t.Error("what was not used for the longest time is still there")
	}
	pull(3)
	total := int64(0)
	entries, err := os.ReadDir(filepath.Join(opts.Cache.dir, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			total += info.Size()
		}
	}
	if total > 5000 || total < 1500 {
		t.Errorf("%d bytes in %d files", total, len(entries))
	}
}

// clock numbers the uses in TestCacheIsBounded.
var clock int

func TestCacheThatCannotKeep(t *testing.T) {
	ref := reference(t, "oci-layout://"+t.TempDir()+":1")
	mustPush(t, ref, wasm('a', 100))
	opts := alone(t)
	opts.Cache = openCache(t, 0)
	if err := os.RemoveAll(opts.Cache.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(opts.Cache.dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if a, err := Pull(t.Context(), ref, opts); err != nil || a.Uncached == nil {
		t.Errorf("got %v, %v, want the module and why it was not kept", a, err)
	}
	if _, err := OpenCache(opts.Cache.dir, 0); err == nil {
		t.Error("a file was opened as a cache")
	}
}
