package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/posternhq/postern/gateway/module"
)

// Reasons why an operation is refused.
var (
	ErrNotFound = errors.New("not found") // no such module, version or rollout
	ErrConflict = errors.New("conflict")  // the module's state, or its source, does not allow it
	ErrInvalid  = errors.New("invalid")   // the module cannot be loaded, with the reasons
	ErrReadOnly = errors.New("read-only") // the folder of modules cannot be written to
	ErrEnded    = errors.New("ended")     // the manager has ended
)

// refusal is an error with one of the reasons, which its text does not repeat.
type refusal struct {
	reason error
	error
}

func (r refusal) Unwrap() []error { return []error{r.reason, r.error} }

func refuse(reason error, format string, args ...any) error {
	return refusal{reason, fmt.Errorf(format, args...)}
}

// Answer is what an operation has changed.
type Answer struct {
	Module    string   `json:"module"`              // the name to operate on it by
	Action    string   `json:"action"`              // loaded, unchanged, trying, rolled back, disabled, enabled, promoted, aborted, deleted
	Digest    string   `json:"digest,omitempty"`    // sha256 of what serves now; empty: nothing does
	Version   string   `json:"version,omitempty"`   // of what serves now
	Previous  string   `json:"previous,omitempty"`  // digest of what served before
	Candidate string   `json:"candidate,omitempty"` // digest of what a rollout tries
	Serves    []string `json:"serves,omitempty"`
}

// operation runs on the manager's goroutine.
type operation struct {
	ctx  context.Context // of who asked
	do   func(ctx context.Context) (Answer, error)
	done chan struct{}
	ans  Answer
	err  error
}

func (o *operation) run(ctx context.Context) {
	defer close(o.done)
	if o.err = o.ctx.Err(); o.err != nil { // nobody waits any more
		return
	}
	o.ans, o.err = o.do(ctx)
}

// operate has f run between two looks. Once it has begun it is waited for: what it does is not left half done.
func (m *Manager) operate(ctx context.Context, f func(ctx context.Context) (Answer, error)) (Answer, error) {
	o := &operation{ctx: ctx, do: f, done: make(chan struct{})}
	select {
	case m.ops <- o:
		<-o.done
		return o.ans, o.err
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	case <-m.ended:
		return Answer{}, refuse(ErrEnded, "the gateway is shutting down")
	}
}

// answer says how a slot does after an operation.
func (s *slot) answer(action, previous string) Answer {
	a := Answer{Module: s.name(), Action: action, Previous: previous}
	if s.gen != nil {
		about := s.gen.Manifest()
		a.Digest, a.Version, a.Serves = s.gen.Digest(), about.Version, about.Routes()
	}
	if s.trial != nil {
		a.Candidate = s.trial.gen.Digest()
	}
	return a
}

// name is what operators call the slot.
func (s *slot) name() string { return strings.TrimSuffix(s.item.key, suffix) }

// digestNow is what serves; empty when nothing does.
func (s *slot) digestNow() string {
	if s.gen == nil {
		return ""
	}
	return s.gen.Digest()
}

// find is the slot that operators call name: a file's name without .wasm, source/name, or the name in a manifest, if only one
// module has it.
func (m *Manager) find(name string) (*slot, error) {
	if s := m.slots[name+suffix]; s != nil {
		return s, nil
	}
	if s := m.slots[name]; s != nil {
		return s, nil
	}
	var found []*slot
	var names []string
	for _, s := range m.slots {
		if s.gen != nil && s.gen.Manifest().Name == name || s.item.wanted != nil && s.item.wanted.Name == name {
			found, names = append(found, s), append(names, s.name())
		}
	}
	switch len(found) {
	case 0:
		return nil, refuse(ErrNotFound, "there is no module %q", name)
	case 1:
		return found[0], nil
	}
	return nil, refuse(ErrConflict, "%q is the name of several modules: say which of %s", name, strings.Join(names, ", "))
}

// file is find for what changes the folder.
func (m *Manager) file(name string) (*slot, error) {
	s, err := m.find(name)
	if err == nil && s.item.source != folderSource {
		err = refuse(ErrConflict, "module %q comes from %s: change it there", name, s.item.source)
	}
	return s, err
}

func (m *Manager) path(s *slot) string { return filepath.Join(m.opts.Dir, s.item.key) }

// changed names why the folder could not be changed.
func changed(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission), strings.Contains(err.Error(), "read-only"):
		return refuse(ErrReadOnly, "the folder of modules cannot be written to: %w", err)
	}
	return fmt.Errorf("cannot change the folder of modules: %w", err)
}

// Rollback has an earlier version of a module serve again: the one with the digest, of which a beginning of at least 6
// characters is enough, or, if it is empty, the last one that served before and is not known to be broken. The module's file
// is replaced, so that it stays so. Errors are ErrNotFound, ErrConflict, ErrInvalid, ErrReadOnly, ErrEnded, or ctx's.
func (m *Manager) Rollback(ctx context.Context, name, digest string) (Answer, error) {
	return m.operate(ctx, func(ctx context.Context) (Answer, error) {
		s, err := m.file(name)
		if err != nil {
			return Answer{}, err
		}
		if s.item.disabled {
			return Answer{}, refuse(ErrConflict, "module %q is disabled: enable it first", name)
		}
		to, err := s.target(digest)
		if err != nil {
			return Answer{}, err
		}
		wasm, err := m.store.get(s.item.key, to)
		if err != nil {
			return Answer{}, refuse(ErrConflict, "%w", err)
		}
		before := s.digestNow()
		if err := m.place(ctx, s, wasm); err != nil {
			return Answer{}, err
		}
		m.mu.Lock()
		m.rollbacks["manual"]++
		m.mu.Unlock()
		return s.answer("rolled back", before), nil
	})
}

// minPrefix is how much of a digest must be given.
const minPrefix = 6

// target is the version to go back to.
func (s *slot) target(digest string) (string, error) {
	if digest == "" {
		if s.trial != nil {
			return "", refuse(ErrConflict, "a rollout is under way: abort it, or name the digest to go back to")
		}
		p, ok := s.kept.before(s.digestNow())
		if !ok {
			return "", refuse(ErrNotFound, "no earlier version of %q is kept", s.name())
		}
		return p.Digest, nil
	}
	for _, p := range s.kept.History {
		if len(digest) >= minPrefix && strings.HasPrefix(p.Digest, digest) {
			return p.Digest, nil
		}
	}
	return "", refuse(ErrNotFound, "no version of %q with digest %q is kept", s.name(), digest)
}

// place makes wasm the slot's file and has it serve at once, or says why not and leaves the file.
func (m *Manager) place(ctx context.Context, s *slot, wasm []byte) error {
	if err := m.prepare(ctx, s, wasm); err != nil {
		return err
	}
	defer m.unprepare()
	if err := changed(replace(m.path(s), wasm, 0o644)); err != nil {
		return err
	}
	s.direct = true
	return m.follow(ctx, s, module.Digest(wasm))
}

// prepare loads what is about to become a file, so that the folder holds nothing that cannot be loaded.
func (m *Manager) prepare(ctx context.Context, s *slot, wasm []byte) error {
	digest := module.Digest(wasm)
	m.mu.Lock()
	s.kept.allow(digest) // somebody asks for it by name
	m.mu.Unlock()
	if digest == s.digestNow() && s.err == nil {
		return nil
	}
	gen, err := m.load(ctx, s, wasm)
	if err != nil {
		return refuse(ErrInvalid, "%w", err)
	}
	m.prepared = gen
	return nil
}

// unprepare lets go what nobody took.
func (m *Manager) unprepare() {
	if m.prepared != nil {
		m.retire(m.prepared)
		m.prepared = nil
	}
}

// follow looks at the sources and says why the slot does not serve, or try, the digest now.
func (m *Manager) follow(ctx context.Context, s *slot, digest string) error {
	s.digest = ""
	m.scan(ctx)
	if gen := s.newest(); gen != nil && gen.Digest() == digest {
		return nil
	}
	if s.err != nil {
		return refuse(ErrInvalid, "%w", s.err)
	}
	return refuse(ErrConflict, "the file was changed again at the same time")
}
