package oci

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// LockFile is the name of a lock file, which lies beside the modules that it is of.
const LockFile = "modules.lock"

// Bounds of a lock file: a thousand modules is more than a gateway has groups.
const (
	maxLock    = 1 << 20 // bytes
	maxEntries = 1000
)

// lockVersion is the format's. Files of a later one are refused rather than misread.
const lockVersion = 1

// Entry is what a reference was when it was resolved.
type Entry struct {
	Reference string    `json:"reference"`
	Digest    string    `json:"digest"`            // of the manifest, "sha256:…"
	Module    string    `json:"module"`            // sha256 of the module in hex
	Size      int       `json:"size"`              // of the module, bytes
	Resolved  time.Time `json:"resolved"`          // when the tag was looked up
	Signers   []string  `json:"signers,omitempty"` // key ids of the signatures that the module carries
}

// Lock is a lock file, JSON: what references are, whatever their tags say now. Its zero value is empty.
type Lock struct {
	Version int     `json:"version"`
	Modules []Entry `json:"modules"` // by reference
}

// ReadLock reads a lock file. One that is not there is empty.
func ReadLock(path string) (*Lock, error) {
	l := new(Lock)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the lock file: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxLock+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the lock file: %w", err)
	}
	if err := l.parse(text); err != nil {
		return nil, fmt.Errorf("cannot read the lock file %q: %w", path, err)
	}
	return l, nil
}

func (l *Lock) parse(text []byte) error {
	if len(text) > maxLock {
		return fmt.Errorf("more than %d bytes", maxLock)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(l); err != nil {
		return err
	}
	if d.More() {
		return errors.New("something follows its end")
	}
	if l.Version != lockVersion {
		return fmt.Errorf("version %d: this program knows %d", l.Version, lockVersion)
	}
	if len(l.Modules) > maxEntries {
		return fmt.Errorf("%d modules, more than %d", len(l.Modules), maxEntries)
	}
	seen := map[string]bool{}
	for _, e := range l.Modules {
		ref, err := ParseReference(e.Reference)
		if err == nil {
			err = ref.At(e.Digest).validate()
		}
		if err == nil && e.Digest == "" {
			err = errors.New("has no digest")
		}
		if err != nil {
			return fmt.Errorf("%q: %w", e.Reference, err)
		}
		if seen[e.Reference] {
			return fmt.Errorf("%q is there twice", e.Reference)
		}
		seen[e.Reference] = true
	}
	return nil
}

// Find is the entry of a reference; nil when there is none.
func (l *Lock) Find(ref Reference) *Entry {
	i := slices.IndexFunc(l.Modules, func(e Entry) bool { return e.Reference == ref.String() })
	if i < 0 {
		return nil
	}
	return &l.Modules[i]
}

// Set notes what a reference is.
func (l *Lock) Set(e Entry) {
	l.Modules = slices.DeleteFunc(l.Modules, func(old Entry) bool { return old.Reference == e.Reference })
	l.Modules = append(l.Modules, e)
	slices.SortFunc(l.Modules, func(a, b Entry) int { return cmp.Compare(a.Reference, b.Reference) })
}

// Write replaces a lock file, whole or not at all.
func (l *Lock) Write(path string) error {
	l.Version = lockVersion
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write the lock file: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("cannot write the lock file: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("cannot write the lock file: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

// Pull fetches what the lock says that ref is. A reference that it does not have is resolved, and noted; with update, so is
// one that it has. signers tells the key ids of a module's signatures.
func (l *Lock) Pull(ctx context.Context, ref Reference, update bool, opts Options, signers func(wasm []byte) ([]string, error)) (*Artifact, error) {
	at := ref
	entry := l.Find(ref)
	if entry != nil && !update {
		if ref.Digest != "" && ref.Digest != entry.Digest {
			return nil, fmt.Errorf("cannot pull %q: the lock file says that it is %s", ref, entry.Digest)
		}
		at = ref.At(entry.Digest)
	}
	a, err := Pull(ctx, at, opts)
	if err != nil {
		return nil, err
	}
	a.Reference = ref
	if entry != nil && entry.Digest == a.Digest {
		if entry.Module != a.Module {
			return nil, fmt.Errorf("cannot pull %q: the lock file says that its module is %s, it is %s", ref, entry.Module, a.Module)
		}
		return a, nil
	}
	ids, err := signers(a.Bytes)
	if err != nil {
		return nil, fmt.Errorf("cannot pull %q: %w", ref, err)
	}
	l.Set(Entry{ref.String(), a.Digest, a.Module, len(a.Bytes), time.Now().UTC().Truncate(time.Second), ids})
	return a, nil
}
