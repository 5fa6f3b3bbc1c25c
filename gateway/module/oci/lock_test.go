package oci

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// nobody is a module's signers when there are none.
func nobody([]byte) ([]string, error) { return nil, nil }

func TestLockHoldsATag(t *testing.T) {
	reg := serve(t)
	ref := reg.at(t, ":1")
	first, second := wasm('a', 1000), wasm('b', 1000)
	digest := mustPush(t, ref, first)
	file := filepath.Join(t.TempDir(), LockFile)
	pull := func(update bool) (*Artifact, error) {
		t.Helper()
		l, err := ReadLock(file)
		if err != nil {
			t.Fatal(err)
		}
		a, err := l.Pull(t.Context(), ref, update, alone(t), nobody)
		if err := l.Write(file); err != nil {
			t.Fatal(err)
		}
		return a, err
	}
	if a, err := pull(false); err != nil || a.Digest != digest {
		t.Fatalf("got %v, %v", a, err)
	}
	moved := mustPush(t, ref, second)
	before, _ := os.ReadFile(file)
	if a, err := pull(false); err != nil || !bytes.Equal(a.Bytes, first) || a.Reference != ref {
		t.Errorf("the tag has moved: got %v, %v, want what the lock says", a, err)
	}
	if after, _ := os.ReadFile(file); !bytes.Equal(before, after) {
		t.Errorf("the lock file changed without an update:\n%s\nwas\n%s", after, before)
	}
	if a, err := pull(true); err != nil || !bytes.Equal(a.Bytes, second) {
		t.Errorf("update: got %v, %v", a, err)
	}
	if l, err := ReadLock(file); err != nil || l.Find(ref).Digest != moved || l.Find(ref).Module != sum(second) || l.Find(ref).Size != 1000 {
		t.Errorf("after the update: %+v, %v", l, err)
	}
}

func TestLockOverTheCacheNeedsNoRegistry(t *testing.T) {
	reg := serve(t)
	ref := reg.at(t, ":1")
	mustPush(t, ref, wasm('a', 1000))
	opts := alone(t)
	opts.Cache = openCache(t, 0)
	var l Lock
	if _, err := l.Pull(t.Context(), ref, false, opts, nobody); err != nil {
		t.Fatal(err)
	}
	reg.Close()
	if a, err := l.Pull(t.Context(), ref, false, opts, nobody); err != nil || !a.Cached {
		t.Errorf("got %v, %v", a, err)
	}
	if _, err := l.Pull(t.Context(), ref, true, opts, nobody); err == nil {
		t.Error("an update did without the registry")
	}
}

func TestLockThatDisagrees(t *testing.T) {
	ref := reference(t, "oci-layout://"+t.TempDir()+":1")
	digest := mustPush(t, ref, wasm('a', 1000))
	other := "sha256:" + strings.Repeat("0", 64)
	for name, c := range map[string]struct {
		ref   Reference
		entry Entry
		want  string
	}{
		"another module":   {ref, Entry{Digest: digest, Module: strings.Repeat("0", 64)}, "its module is"},
		"another manifest": {ref.At(digest), Entry{Digest: other}, "the lock file says"},
		"a lost manifest":  {ref, Entry{Digest: other}, "not found"},
	} {
		var l Lock
		c.entry.Reference = c.ref.String()
		l.Set(c.entry)
		if a, err := l.Pull(t.Context(), c.ref, false, alone(t), nobody); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, %v, want %q in the error", name, a, err, c.want)
		}
	}
}

func TestLockFiles(t *testing.T) {
	entry := `{"reference": "oci://a.io/b:1", "digest": "sha256:` + strings.Repeat("0", 64) + `", "module": "00", "size": 1, ` +
		`"resolved": "2026-01-02T03:04:05Z", "signers": ["ab"]}`
	good := `{"version": 1, "modules": [` + entry + `]}`
	file := filepath.Join(t.TempDir(), LockFile)
	for name, c := range map[string]struct{ text, want string }{
		"good":         {good, ""},
		"version":      {strings.Replace(good, "1", "2", 1), "version 2"},
		"no version":   {"{}", "version 0"},
		"unknown key":  {strings.Replace(good, "size", "sice", 1), "sice"},
		"twice":        {strings.Replace(good, entry, entry+","+entry, 1), "twice"},
		"two files":    {good + good, "follows"},
		"bad digest":   {strings.Replace(good, "sha256:00", "sha256:0", 1), "digest"},
		"empty digest": {strings.Replace(good, "sha256:"+strings.Repeat("0", 64), "", 1), "no digest"},
		"reference":    {strings.Replace(good, "oci://a.io/b:1", "b", 1), "cannot read reference"},
		"too large":    {good + strings.Repeat(" ", maxLock), "more than"},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := ReadLock(file)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func FuzzLock(f *testing.F) {
	f.Add([]byte(`{"version": 1, "modules": [{"reference": "oci://a.io/b:1", "digest": "sha256:` + strings.Repeat("0", 64) + `"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l Lock
		if l.parse(text) != nil {
			return
		}
		file := filepath.Join(t.TempDir(), LockFile)
		if err := l.Write(file); err != nil {
			t.Fatal(err)
		}
		again, err := ReadLock(file)
		if err != nil || len(again.Modules) != len(l.Modules) {
			t.Errorf("%q is written so that it reads as %+v, %v", text, again, err)
		}
	})
}
