// Package manager keeps modules loaded: it follows the folder of modules, swaps generations, and says what serves.
package manager

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/module"
)

// settle is how long a file must have been left alone before it is read: writing a module of some MB takes less.
const settle = 50 * time.Millisecond

// Options configure a Manager.
type Options struct {
	// Dir is the folder of modules.
	Dir string
	// HistoryDir keeps what has served, to go back to it: up to 5 versions of each module. Empty: .postern in Dir.
	HistoryDir string
	// Interval is how often the folder is looked at when no event says that it changed.
	Interval time.Duration
	// Policy is the configuration's word on a module; see SetPolicy.
	Policy func(name string) module.Policy
	// Rollout is how a new version of the module takes over; nil, or giving nil: at once. It is asked for each new version, and
	// at each look while one is tried.
	Rollout func(name string) *Rollout
	Log     zerolog.Logger
}

// Manager keeps loaded what its sources want: the folder's files, and what Set was called with. A new, changed or removed
// module takes effect without a restart. One that cannot be loaded leaves the one before it serving.
type Manager struct {
	engine *module.Engine
	opts   Options
	store  store
	table  atomic.Pointer[Table]
	policy atomic.Pointer[func(name string) module.Policy]
	look   chan struct{}
	broken chan broken
	ops    chan *operation
	ready  chan struct{} // closed after the first scan
	ended  chan struct{} // closed when Run returns
	once   sync.Once

	mu        sync.Mutex // guards what Status reads; only the manager's goroutine changes it
	slots     map[string]*slot
	rollbacks map[string]int64 // by reason
	keepErr   error            // why the history could not be kept the last time

	wantedMu sync.Mutex // guards wanted, by source; the lists are not changed
	wanted   map[string][]Wanted

	// Only of the manager's goroutine:
	retired  map[*module.Generation]struct{} // not closed yet
	listErr  string                          // why the folder could not be read the last time
	prepared *module.Generation              // loaded by an operation, for the look that follows
	early    map[string]*module.Generation   // by digest: loaded at the start, for the first look
}

// New makes a manager; Run does the work.
func New(engine *module.Engine, opts Options) *Manager {
	if opts.HistoryDir == "" {
		opts.HistoryDir = filepath.Join(opts.Dir, ".postern")
	}
	m := &Manager{
		engine: engine, opts: opts, store: store{opts.HistoryDir},
		look: make(chan struct{}, 1), broken: make(chan broken, maxBroken), ops: make(chan *operation),
		ready: make(chan struct{}), ended: make(chan struct{}),
		slots: map[string]*slot{}, rollbacks: map[string]int64{}, wanted: map[string][]Wanted{},
		retired: map[*module.Generation]struct{}{},
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
func (m *Manager) SetPolicy(policy func(name string) module.Policy) {
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

// Run follows the sources until ctx ends, then retires every module and waits until each has ended its requests. It
// returns nil.
func (m *Manager) Run(ctx context.Context) error {
	var events chan fsnotify.Event
	var failures chan error
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		events, failures = watcher.Events, watcher.Errors
		defer func() { _ = watcher.Close() }()
	} else {
		m.opts.Log.Warn().Err(err).Msg("cannot be told of changes to the folder of modules: it is looked at from time to time")
	}
	if n := tidy(m.opts.Dir, filepath.Join(m.store.dir, "*"), filepath.Join(m.store.dir, "*", "*")); n > 0 {
		m.opts.Log.Info().Int("files", n).Msg("removed what an earlier run left unfinished in the folder of modules")
	}
	tick := time.NewTicker(m.opts.Interval)
	defer tick.Stop()
	watching := watcher == nil
	m.loadEarly(ctx)
	for {
		if !watching {
			// The folder may not be there yet, or may have been replaced: then the tick finds it.
			watching = watcher.Add(m.opts.Dir) == nil
		}
		m.scan(ctx)
		m.dropEarly()
		m.once.Do(func() { close(m.ready) })
		select {
		case <-ctx.Done():
			close(m.ended)
			m.close()
			return nil
		case <-tick.C:
		case <-m.look:
		case b := <-m.broken:
			m.rollBack(ctx, b)
		case o := <-m.ops:
			o.run(ctx)
		case e := <-events:
			watching = watching && !(e.Name == m.opts.Dir && e.Has(fsnotify.Remove|fsnotify.Rename))
			m.settled(ctx, events)
		case <-failures:
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

// close retires everything and waits for it.
func (m *Manager) close() {
	m.table.Store(&Table{})
	for _, s := range m.slots {
		m.endTrial(s)
		if s.gen != nil {
			s.module.serving.Store(nil)
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
