package config

import (
	"context"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Times of the watcher. A change counts once two reads settleTime apart gave
// the same content, so that a file being written is not taken half-way.
const (
	settleTime   = 100 * time.Millisecond
	backstopTime = 30 * time.Second // plus or minus a fifth
)

// Apply makes a configuration the one that serves, or refuses it. It is never
// called twice at once, and returns only when c serves or cannot.
type Apply func(ctx context.Context, c *Config) error

// Watcher loads the configuration again when its file changes, whatever way
// editors and the kubelet change files, and hands it to Apply. A configuration
// that is wrong or refused leaves the one before in place.
type Watcher struct {
	options Options
	apply   Apply
	done    func(Status)
	first   *Config

	turn     chan struct{} // holds one token: who has it may reload
	current  atomic.Pointer[Config]
	status   atomic.Pointer[Status]
	settle   time.Duration
	backstop time.Duration
}

// NewWatcher watches what Load(o) gave c and report for. Done is called after
// each attempt to reload, for log and metrics, before Reload returns; nil is
// allowed.
func NewWatcher(o Options, c *Config, report Report, apply Apply, done func(Status)) *Watcher {
	if o.File == "" {
		// Pinned: should the file vanish, the next one on the search path,
		// or the defaults, must not take its place.
		o.File = report.File
	}
	w := &Watcher{
		options: o, apply: apply, done: done, first: c,
		turn:   make(chan struct{}, 1),
		settle: settleTime, backstop: backstopTime,
	}
	now := time.Now()
	w.current.Store(c)
	w.status.Store(&Status{
		OK: true, Generation: 1, File: report.File, Hash: report.Hash, attempted: report.Hash,
		Attempted: now, Succeeded: now, Warnings: report.Warnings,
	})
	w.turn <- struct{}{}
	return w
}

// Config returns the configuration that serves.
func (w *Watcher) Config() *Config { return w.current.Load() }

// Status returns how the last attempt went.
func (w *Watcher) Status() Status { return *w.status.Load() }

// Run watches until ctx ends, and returns when it no longer does. Without
// file events (no inotify watches left) the backstop alone finds changes.
func (w *Watcher) Run(ctx context.Context) {
	folders := openFolders()
	defer folders.close()
	folders.follow(w.file())
	backstop := time.NewTimer(w.jittered())
	defer backstop.Stop()
	settle := time.NewTimer(w.settle) // the file may have changed since Load
	defer settle.Stop()
	seen := ""
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-folders.events():
			if folders.concerns(event) {
				settle.Reset(w.settle)
			}
		case <-folders.errors(): // events were lost
			settle.Reset(w.settle)
		case <-backstop.C:
			backstop.Reset(w.jittered())
			if w.missing() {
				w.changed(ctx, missingFile)
			}
			settle.Reset(w.settle)
		case <-settle.C:
			folders.follow(w.file())
			last := seen
			if seen = fingerprint(w.file()); seen != last {
				settle.Reset(w.settle)
				continue
			}
			if seen != missingFile { // an editor may be about to create it
				w.changed(ctx, seen)
			}
		}
	}
}

func (w *Watcher) jittered() time.Duration {
	fifth := w.backstop / 5
	return w.backstop - fifth + rand.N(2*fifth+1)
}

// file is the file to watch; "" if there is none so far.
func (w *Watcher) file() string {
	if w.options.File != "" {
		return w.options.File
	}
	if file := w.Status().File; file != "" {
		return file
	}
	if w.options.Search != nil {
		return locate(w.options.Search)
	}
	return locate(SearchPath())
}

func (w *Watcher) missing() bool {
	return w.file() != "" && fingerprint(w.file()) == missingFile
}

// changed reloads if the content is not the one that was tried last.
func (w *Watcher) changed(ctx context.Context, content string) {
	if content == w.Status().attempted || w.file() == "" {
		return
	}
	_ = w.Reload(ctx) // in Status, and told to done
}
