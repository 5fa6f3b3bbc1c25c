package manager

import (
	"context"
	"errors"
	"os"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manifest"
)

// Load puts a module into the folder, in the place of the file that has its name, and returns when it serves, or a rollout
// has begun to try it. What cannot be loaded is not put there: ErrInvalid, with every reason. A module that was disabled is
// enabled. name is that of the file without .wasm, or of a module that has a file; empty: the name in the manifest.
func (m *Manager) Load(ctx context.Context, name string, wasm []byte) (Answer, error) {
	if len(wasm) > module.MaxSize {
		return Answer{}, refuse(ErrInvalid, "the module has more than %d bytes", module.MaxSize)
	}
	about, err := manifest.Of(wasm)
	if err != nil {
		return Answer{}, refuse(ErrInvalid, "%w", err)
	}
	if name == "" {
		name = about.Name
	}
	if !nameForm.MatchString(name) {
		return Answer{}, refuse(ErrInvalid, "cannot use %q as the name of a file", name)
	}
	return m.operate(ctx, func(ctx context.Context) (Answer, error) {
		s, err := m.file(name)
		if errors.Is(err, ErrNotFound) {
			s, err = &slot{module: &Module{name: name + suffix}, item: &item{key: name + suffix, source: folderSource}}, nil
		}
		if err != nil {
			return Answer{}, err
		}
		return m.loadFile(ctx, s, wasm)
	})
}

// loadFile is Load for a slot; one of no file yet is not the manager's.
func (m *Manager) loadFile(ctx context.Context, s *slot, wasm []byte) (Answer, error) {
	before, digest, key := s.digestNow(), module.Digest(wasm), s.item.key
	if err := m.prepare(ctx, s, wasm); err != nil {
		return Answer{}, err
	}
	defer m.unprepare()
	err := replace(m.path(s), wasm, 0o644)
	if err == nil {
		err = unmark(m.path(s)) // also one that was left behind by a file that somebody has removed
	}
	if err := changed(err); err != nil {
		return Answer{}, err
	}
	if m.slots[key] == nil {
		m.mu.Lock()
		s.item = &item{key: key, source: folderSource}
		m.slots[key] = s
		m.mu.Unlock()
	}
	if err := m.follow(ctx, s, digest); err != nil {
		return Answer{}, err
	}
	switch {
	case s.trial != nil:
		return s.answer("trying", before), nil
	case before == digest:
		return s.answer("unchanged", before), nil
	}
	return s.answer("loaded", before), nil
}

// Disable keeps a module from being served, over restarts too: a mark is put beside its file.
func (m *Manager) Disable(ctx context.Context, name string) (Answer, error) {
	return m.operate(ctx, func(ctx context.Context) (Answer, error) {
		s, err := m.file(name)
		if err != nil {
			return Answer{}, err
		}
		before := s.digestNow()
		if err := changed(replace(m.path(s)+markSuffix, nil, 0o644)); err != nil {
			return Answer{}, err
		}
		m.scan(ctx)
		return s.answer("disabled", before), nil
	})
}

// Enable takes Disable back and returns when the module serves again.
func (m *Manager) Enable(ctx context.Context, name string) (Answer, error) {
	return m.operate(ctx, func(ctx context.Context) (Answer, error) {
		s, err := m.file(name)
		if err != nil {
			return Answer{}, err
		}
		before := s.digestNow()
		if err := changed(unmark(m.path(s))); err != nil {
			return Answer{}, err
		}
		m.scan(ctx)
		if s.gen == nil && s.err != nil {
			return Answer{}, refuse(ErrInvalid, "%w", s.err)
		}
		return s.answer("enabled", before), nil
	})
}

func unmark(path string) error {
	if err := os.Remove(path + markSuffix); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Delete removes a module's file, its mark and its history.
func (m *Manager) Delete(ctx context.Context, name string) (Answer, error) {
	return m.operate(ctx, func(ctx context.Context) (Answer, error) {
		s, err := m.file(name)
		if err != nil {
			return Answer{}, err
		}
		before := s.digestNow()
		err = os.Remove(m.path(s))
		if err == nil {
			err = unmark(m.path(s))
		}
		if err := changed(err); err != nil {
			return Answer{}, err
		}
		m.scan(ctx)
		return s.answer("deleted", before), nil
	})
}

// Promote ends a rollout in favour of the new version.
func (m *Manager) Promote(ctx context.Context, name string) (Answer, error) {
	return m.decide(ctx, name, "promoted", func(s *slot) { m.promote(s, "asked for") })
}

// Abort ends a rollout in favour of the version that served before. The new one is not tried again until it is loaded by name.
func (m *Manager) Abort(ctx context.Context, name string) (Answer, error) {
	return m.decide(ctx, name, "aborted", func(s *slot) { m.abort(s, "aborted by an operator", "manual") })
}

func (m *Manager) decide(ctx context.Context, name, action string, do func(s *slot)) (Answer, error) {
	return m.operate(ctx, func(context.Context) (Answer, error) {
		s, err := m.find(name)
		if err != nil {
			return Answer{}, err
		}
		if s.trial == nil {
			return Answer{}, refuse(ErrConflict, "no rollout of %q is under way", name)
		}
		before := s.digestNow()
		do(s)
		m.report(s)
		return s.answer(action, before), nil
	})
}
