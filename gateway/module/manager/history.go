package manager

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/module"
)

// Bounds of what is kept of each module.
const (
	keptVersions  = 5  // digests that have served, the one that serves included
	keptRefusals  = 20 // digests that are not tried again
	maxStateBytes = 64 << 10
)

// Past is one digest that has served, newest first.
type Past struct {
	Digest  string    `json:"digest"`
	Version string    `json:"version"`
	Since   time.Time `json:"since"` // when it began to serve the last time
}

// Refusal is a digest that is not tried again until somebody asks for it by name.
type Refusal struct {
	Digest string    `json:"digest"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// state is what is kept of a module over restarts.
type state struct {
	History []Past    `json:"history"`
	Refused []Refusal `json:"refused,omitempty"`
}

// served puts a digest at the head of the history and forgets the oldest.
func (s *state) served(digest, version string, at time.Time) {
	if len(s.History) > 0 && s.History[0].Digest == digest {
		return
	}
	s.History = slices.DeleteFunc(s.History, func(p Past) bool { return p.Digest == digest })
	s.History = slices.Insert(s.History, 0, Past{digest, version, at})
	s.History = s.History[:min(len(s.History), keptVersions)]
}

// refuse notes a digest that is not tried again.
func (s *state) refuse(digest, reason string, at time.Time) {
	s.allow(digest)
	s.Refused = slices.Insert(s.Refused, 0, Refusal{digest, reason, at})
	s.Refused = s.Refused[:min(len(s.Refused), keptRefusals)]
}

// allow has a digest tried again; false when it was not refused.
func (s *state) allow(digest string) bool {
	n := len(s.Refused)
	s.Refused = slices.DeleteFunc(s.Refused, func(r Refusal) bool { return r.Digest == digest })
	return len(s.Refused) < n
}

// refused is why a digest is not tried again; empty when it may be.
func (s *state) refused(digest string) string {
	for _, r := range s.Refused {
		if r.Digest == digest {
			return r.Reason
		}
	}
	return ""
}

// earlier are the digests that have served, newest first, but for digest and those that are refused.
func (s *state) earlier(digest string) []Past {
	return slices.DeleteFunc(slices.Clone(s.History), func(p Past) bool { return p.Digest == digest || s.refused(p.Digest) != "" })
}

// before is the newest of them.
func (s *state) before(digest string) (Past, bool) {
	all := s.earlier(digest)
	if len(all) == 0 {
		return Past{}, false
	}
	return all[0], true
}

// clone is a copy that shares nothing with s.
func (s *state) clone() state { return state{slices.Clone(s.History), slices.Clone(s.Refused)} }

// store keeps states, and the bytes of what has served, in a folder: a folder for each module with state.json and
// DIGEST.wasm. At most keptVersions+1 modules' bytes each: those of the history and a rollout's candidate.
type store struct{ dir string }

func (s store) of(key string) string { return filepath.Join(s.dir, key) }

// load reads a module's state; an empty one when there is none. With an error it is what the bytes that are kept tell by
// themselves, so that they are not tidied away.
func (s store) load(key string) (st state, err error) {
	path := filepath.Join(s.of(key), "state.json")
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return state{}, nil
	}
	if err == nil && info.Size() > maxStateBytes {
		err = fmt.Errorf("%q has more than %d bytes", path, maxStateBytes)
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path)
	}
	if err == nil {
		err = json.Unmarshal(text, &st)
	}
	if err != nil {
		return state{History: s.found(key)}, fmt.Errorf("cannot read the history of %q: %w", key, err)
	}
	return st, nil
}

// digestForm is how a module's bytes are named, without suffix.
var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// found is a history of the bytes that are kept, newest first. Of which versions they are is not known.
func (s store) found(key string) (past []Past) {
	names, _ := filepath.Glob(filepath.Join(s.of(key), "*"+suffix)) // a folder whose name is a bad pattern has none
	for _, name := range names {
		digest := strings.TrimSuffix(filepath.Base(name), suffix)
		if info, err := os.Stat(name); err == nil && digestForm.MatchString(digest) {
			past = append(past, Past{Digest: digest, Since: info.ModTime()})
		}
	}
	slices.SortFunc(past, func(a, b Past) int { return b.Since.Compare(a.Since) })
	return past[:min(len(past), keptVersions)]
}

// save writes a module's state and removes the bytes of what it does not name; keep is one more digest to leave.
func (s store) save(key string, st *state, keep string) error {
	text, err := json.MarshalIndent(st, "", "  ")
	if err == nil {
		err = replace(filepath.Join(s.of(key), "state.json"), append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot keep the history of %q: %w", key, err)
	}
	return s.prune(key, st, keep)
}

// prune removes the bytes of what neither the state nor keep names.
func (s store) prune(key string, st *state, keep string) error {
	entries, err := os.ReadDir(s.of(key))
	if err != nil {
		return fmt.Errorf("cannot tidy the history of %q: %w", key, err)
	}
	for _, e := range entries {
		digest, ok := strings.CutSuffix(e.Name(), suffix)
		if ok && digest != keep && !slices.ContainsFunc(st.History, func(p Past) bool { return p.Digest == digest }) {
			err = errors.Join(err, os.Remove(filepath.Join(s.of(key), e.Name())))
		}
	}
	return err
}

// put keeps a module's bytes. What is there already is read: a disk may have damaged it.
func (s store) put(key, digest string, wasm []byte) error {
	path := filepath.Join(s.of(key), digest+suffix)
	if kept, err := read(path); err == nil && module.Digest(kept) == digest {
		return nil
	}
	if err := replace(path, wasm, 0o644); err != nil {
		return fmt.Errorf("cannot keep the history of %q: %w", key, err)
	}
	return nil
}

// get reads a module's bytes.
func (s store) get(key, digest string) ([]byte, error) {
	wasm, err := read(filepath.Join(s.of(key), digest+suffix))
	if err != nil {
		return nil, fmt.Errorf("cannot go back to %.12s: %w", digest, err)
	}
	if module.Digest(wasm) != digest {
		return nil, fmt.Errorf("cannot go back to %.12s: the kept file has been changed", digest)
	}
	return wasm, nil
}

// forget removes all that is kept of a module.
func (s store) forget(key string) error {
	if err := os.RemoveAll(s.of(key)); err != nil {
		return fmt.Errorf("cannot remove the history of %q: %w", key, err)
	}
	return nil
}
