package module

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/module/manifest"
)

// settle is how long a file must have been left alone before it is read: writing a module of some MB takes less.
const settle = 50 * time.Millisecond

// ManagerOptions configure a Manager.
type ManagerOptions struct {
	Dir string
	// Interval is how often the folder is looked at when no event says that it changed.
	Interval time.Duration
	Policy   func(name string) Policy
	Log      zerolog.Logger
}

// Manager keeps what a folder holds loaded: a new, changed or removed file takes effect without a restart. A module that
// cannot be loaded leaves the one before it serving.
type Manager struct {
	engine *Engine
	opts   ManagerOptions
	table  atomic.Pointer[Table]
	policy atomic.Pointer[func(name string) Policy]
	look   chan struct{}
	ready  chan struct{} // closed after the first scan
	once   sync.Once

	mu      sync.Mutex // guards slots for Status; only the manager's goroutine changes them
	slots   map[string]*slot
	retired map[*Generation]struct{}
}

// slot is one file of the folder.
type slot struct {
	stamp  stamp
	digest string                    // of what was last tried
	policy *func(name string) Policy // it was tried under
	gen    *Generation
	err    error // why what was last tried does not serve
	loaded time.Time
}

// NewManager makes a manager of a folder; Run does the work.
func NewManager(engine *Engine, opts ManagerOptions) *Manager {
	m := &Manager{
		engine: engine, opts: opts, look: make(chan struct{}, 1), ready: make(chan struct{}),
		slots: map[string]*slot{}, retired: map[*Generation]struct{}{},
	}
	m.table.Store(&Table{})
	m.policy.Store(&opts.Policy)
	return m
}

// Table is what serves now.
func (m *Manager) Table() *Table { return m.table.Load() }

// Ready is closed when the folder has been read once: whatever could be loaded serves.
func (m *Manager) Ready() <-chan struct{} { return m.ready }

// SetPolicy replaces limits, grants and settings. Modules whose policy changed are loaded anew, as if their file had.
func (m *Manager) SetPolicy(policy func(name string) Policy) {
	m.policy.Store(&policy)
	m.Look()
}

// Look has the folder looked at now.
func (m *Manager) Look() {
	select {
	case m.look <- struct{}{}:
	default:
	}
}

// Run watches the folder until ctx ends, then retires every module and waits until each has ended its requests.
func (m *Manager) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("cannot watch the folder of modules: %w", err)
	}
	defer func() { _ = watcher.Close() }()
	tick := time.NewTicker(m.opts.Interval)
	defer tick.Stop()
	watching := false
	for {
		if !watching {
			// The folder may not be there yet, or may have been replaced: then the tick finds it.
			watching = watcher.Add(m.opts.Dir) == nil
		}
		m.scan(ctx)
		m.once.Do(func() { close(m.ready) })
		select {
		case <-ctx.Done():
			m.close()
			return nil
		case <-tick.C:
		case <-m.look:
		case e := <-watcher.Events:
			watching = watching && !(e.Name == m.opts.Dir && e.Has(fsnotify.Remove|fsnotify.Rename))
			m.settled(ctx, watcher.Events)
		case <-watcher.Errors:
			watching = false
		}
	}
}

// settled waits until no event has come for a while, at most ten times that.
func (m *Manager) settled(ctx context.Context, events <-chan fsnotify.Event) {
	quiet := time.NewTimer(settle)
	defer quiet.Stop()
	end := time.After(10 * settle)
	for {
		select {
		case <-events:
			quiet.Reset(settle)
		case <-quiet.C:
			return
		case <-end:
			return
		case <-ctx.Done():
			return
		}
	}
}

// scan makes what serves follow the folder and the policy.
func (m *Manager) scan(ctx context.Context) {
	files, err := list(m.opts.Dir)
	if err != nil {
		m.opts.Log.Error().Err(err).Str("dir", m.opts.Dir).Msg("modules keep serving as they are")
		return
	}
	changed := m.removeMissing(files)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if ctx.Err() != nil {
			return
		}
		// Somebody else's group may have become free: refused files are tried again.
		if m.update(ctx, name, files[name]) {
			changed = true
		}
	}
	if changed {
		m.sweep()
	}
}

// removeMissing retires the modules whose files are gone.
func (m *Manager) removeMissing(files map[string]stamp) bool {
	changed := false
	for name, s := range m.slots {
		if _, ok := files[name]; ok {
			continue
		}
		m.mu.Lock()
		delete(m.slots, name)
		m.mu.Unlock()
		if s.gen != nil {
			m.opts.Log.Info().Str("file", name).Str("module", s.gen.Manifest().Name).Msg("module removed")
			m.publish()
			m.retire(s.gen)
		}
		for _, other := range m.slots {
			if other.err != nil {
				other.stamp, other.digest = stamp{}, ""
			}
		}
		changed = true
	}
	return changed
}

// update loads one file if it or its policy has changed; true if anything did.
func (m *Manager) update(ctx context.Context, name string, now stamp) bool {
	s := m.slots[name]
	if s == nil {
		s = new(slot)
		m.mu.Lock()
		m.slots[name] = s
		m.mu.Unlock()
	}
	current := m.policy.Load()
	policy := *current
	// A module that serves is loaded anew when its own policy is another; one that was refused, when any is.
	stale := s.gen != nil && !reflect.DeepEqual(s.gen.policy, policy(s.gen.Manifest().Name)) || s.err != nil && s.policy != current
	s.policy = current
	if s.stamp.info != nil && s.stamp.equal(now) && !stale && (s.err == nil || s.digest != "") {
		return false
	}
	gen, digest, err := m.load(ctx, name, s, policy, stale)
	if gen == nil && err == nil {
		s.stamp = now
		return false
	}
	m.mu.Lock()
	old := s.gen
	s.stamp, s.digest, s.err, s.loaded = now, digest, err, time.Now()
	if err == nil {
		s.gen = gen
	}
	m.mu.Unlock()
	if err != nil {
		m.opts.Log.Error().Err(err).Str("file", name).Bool("previousServes", old != nil).Msg("cannot load module")
		return true
	}
	m.publish()
	if old != nil {
		m.retire(old)
	}
	m.opts.Log.Info().Str("file", name).Str("module", gen.Manifest().Name).Str("version", gen.Manifest().Version).
		Str("digest", gen.Digest()[:12]).Dur("took", gen.image.took).Msg("module serves")
	return true
}

// load reads and loads a file; nothing when its content is what was tried before.
func (m *Manager) load(ctx context.Context, name string, s *slot, policy func(string) Policy, stale bool) (*Generation, string, error) {
	wasm, err := read(filepath.Join(m.opts.Dir, name))
	if err != nil {
		return nil, "", err
	}
	digest := digestOf(wasm)
	if digest == s.digest && !stale {
		return nil, digest, nil
	}
	gen, err := m.engine.Load(ctx, wasm, policy)
	if err != nil {
		return nil, digest, err
	}
	if err := m.conflict(name, gen.Manifest()); err != nil {
		m.retire(gen)
		return nil, digest, err
	}
	return gen, digest, nil
}

// conflict says which other file already answers what a module wants to.
func (m *Manager) conflict(name string, about *manifest.Manifest) error {
	var errs []error
	for other, s := range m.slots {
		if other == name || s.gen == nil {
			continue
		}
		for _, route := range about.Routes() {
			if slices.Contains(s.gen.Manifest().Routes(), route) {
				errs = append(errs, fmt.Errorf("module %q: %s is already answered by %s", about.Name, route, other))
			}
		}
	}
	return errors.Join(errs...)
}

// publish makes a new table of what is loaded.
func (m *Manager) publish() {
	routes := map[string]*Generation{}
	for _, s := range m.slots {
		if s.gen == nil {
			continue
		}
		for _, route := range s.gen.Manifest().Routes() {
			routes[route] = s.gen
		}
	}
	m.table.Store(&Table{routes: routes})
}

// retire lets a generation end its requests and go.
func (m *Manager) retire(g *Generation) {
	m.retired[g] = struct{}{}
	g.Retire()
}

// sweep forgets the retired generations that have gone.
func (m *Manager) sweep() {
	for g := range m.retired {
		select {
		case <-g.Closed():
			delete(m.retired, g)
		default:
		}
	}
}

// close retires everything and waits for it.
func (m *Manager) close() {
	m.table.Store(&Table{})
	for _, s := range m.slots {
		if s.gen != nil {
			m.retire(s.gen)
		}
	}
	for g := range m.retired {
		<-g.Closed()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slots = map[string]*slot{}
}
