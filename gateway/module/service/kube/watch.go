package kube

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// watched is one resource with its watch. run owns the store's content; readers take what is there.
type watched struct {
	c     *cache
	key   key
	store store
	used  atomic.Int64 // unix nanoseconds of the last read

	mu     sync.Mutex
	phase  phase
	since  time.Time     // when the phase began
	change chan struct{} // closed at the next change of phase
}

// phase says what the store is worth.
type phase uint8

const (
	reading  phase = iota // not read yet
	ready                 // read, and the watch runs
	broken                // read, but the watch is being restored
	tooLarge              // beyond a bound: nothing is kept
	failed                // cannot be listed or watched: nothing is kept
)

func newWatched(c *cache, k key) *watched {
	w := &watched{c: c, key: k, since: time.Now(), change: make(chan struct{})}
	return w
}

func (w *watched) enter(p phase) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.phase == p {
		return
	}
	w.phase, w.since = p, time.Now()
	close(w.change)
	w.change = make(chan struct{})
}

// state is the phase, how long it has lasted, and what is closed when it ends.
func (w *watched) state() (phase, time.Duration, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.phase, time.Since(w.since), w.change
}

func (w *watched) isTooLarge() bool { p, _, _ := w.state(); return p == tooLarge }

func (w *watched) idle() time.Duration { return time.Since(time.Unix(0, w.used.Load())) }

// maxAwait bounds the wait for a resource's first reading; a live request takes less than that.
const maxAwait = 5 * time.Second

// await waits until the store can be read; false: it cannot, or not in time. Half of what ctx leaves is kept for asking
// live.
func (w *watched) await(ctx context.Context) bool {
	limit := maxAwait
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2)
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	for {
		p, age, change := w.state()
		switch p {
		case ready:
			return true
		case broken:
			return age < w.c.opt.Stale
		case tooLarge, failed:
			return false
		}
		select {
		case <-change:
		case <-timeout.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

var (
	errTooLarge = errors.New("the resource is too large for the cache")
	errExpired  = errors.New("the resource version is too old")
	// errRefused marks answers that asking again at once does not change: no such resource, no watch, forbidden.
	errRefused = errors.New("kube-apiserver refuses")
)

// run reads and watches until ctx ends: the resource has been unused for a while, or the cache is closed.
func (w *watched) run(ctx context.Context) {
	defer w.forget(failed)
	for failures := 0; ctx.Err() == nil; {
		began := time.Now()
		err := w.follow(ctx)
		switch p, _, _ := w.state(); {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errTooLarge):
			w.rest(ctx, tooLarge)
		case errors.Is(err, errRefused):
			w.rest(ctx, failed)
		case errors.Is(err, errExpired):
			w.enter(broken)
		default:
			if p == reading {
				w.forget(failed)
			}
			if failures++; time.Since(began) > maxBackoff {
				failures = 1
			}
			pause(ctx, backoff(failures))
		}
	}
}

// stopWhenIdle cancels run when the resource has been unused for long enough.
func (w *watched) stopWhenIdle(ctx context.Context, cancel context.CancelFunc) {
	defer cancel()
	for left := w.c.opt.Idle; ctx.Err() == nil && !w.c.drop(w); left = w.c.opt.Idle - w.idle() {
		pause(ctx, max(left, time.Millisecond))
	}
}

// forget empties the store; it is not read any more.
func (w *watched) forget(p phase) {
	w.enter(p)
	w.store.empty()
}

// rest empties the store and waits until it is worth another try. The phase before it is reading, so that readers wait
// for that try's outcome.
func (w *watched) rest(ctx context.Context, p phase) {
	w.forget(p)
	pause(ctx, w.c.opt.Retry)
	w.enter(reading)
}

// follow reads the resource and watches it until the watch cannot be continued from where it ended.
func (w *watched) follow(ctx context.Context) error {
	if err := w.fill(ctx); err != nil {
		return err
	}
	w.enter(ready)
	for failures := 0; ; {
		began := time.Now()
		err := w.stream(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errTooLarge), errors.Is(err, errRefused), errors.Is(err, errExpired):
			return err
		case err == nil, time.Since(began) > maxBackoff: // it ended in good order, as each does after some minutes
			failures = 0
		}
		if err != nil {
			w.enter(broken)
			failures++
		}
		pause(ctx, backoff(failures))
	}
}

// maxBackoff bounds the pause between two tries.
const maxBackoff = 15 * time.Second

// backoff is 0.25 s, 0.5 s, … with up to as much again at random, so that replicas do not try in step; after an orderly
// end hardly anything.
func backoff(failures int) time.Duration {
	if failures == 0 {
		return 10 * time.Millisecond
	}
	d := min(250*time.Millisecond<<min(failures-1, 10), maxBackoff/2)
	return d + rand.N(d)
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// fits says whether the store is still within its bounds.
func (w *watched) fits(s *store) error {
	if objects, size := s.size(); objects > w.c.opt.MaxObjects || size > w.c.opt.MaxBytes {
		return fmt.Errorf("%d objects of %d bytes: %w", objects, size, errTooLarge)
	}
	return nil
}
