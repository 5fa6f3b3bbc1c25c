package module

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/posternhq/postern/hostabi"
)

// BreakerLimits say when a module that keeps failing is left alone, and for how long.
type BreakerLimits struct {
	Traps    int           // instances lost within Window that open it; 0: never
	Window   time.Duration // see Traps
	Pause    time.Duration // until one request is let through as a probe; doubled each time that fails
	MaxPause time.Duration // longest pause
}

// The states of a breaker.
const (
	breakerClosed   = iota // requests pass
	breakerOpen            // requests are refused until the pause is over
	breakerHalfOpen        // one request is on its way to find out whether the module works again
)

var breakerNames = [...]string{"closed", "open", "half-open"}

// maxTraps bounds what a breaker remembers.
const maxTraps = 1000

// breaker keeps requests from a module that traps again and again: each costs an instance, which costs milliseconds and what
// other requests had in it. After a pause one request at a time is a probe. While it is closed a request costs one atomic read.
type breaker struct {
	limits BreakerLimits
	state  atomic.Int32

	mu     sync.Mutex
	traps  []time.Time // the last ones, a ring
	next   int         // of traps: the oldest
	pause  time.Duration
	until  time.Time // end of the pause
	closed time.Time // when it was closed the last time
	why    string    // the last failure
}

// pass says what becomes of a request that comes at now: it passes, as a probe or not, or has to wait.
func (b *breaker) pass(now time.Time) (ok, probe bool) {
	if b.state.Load() == breakerClosed {
		return true, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch b.state.Load() {
	case breakerClosed:
		return true, false
	case breakerOpen:
		if !now.Before(b.until) {
			b.state.Store(breakerHalfOpen)
			return true, true
		}
	}
	return false, false
}

// trap counts a lost instance; true when that opens the breaker.
func (b *breaker) trap(now time.Time, why string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.why = why
	most := min(b.limits.Traps, maxTraps)
	if most == 0 || b.state.Load() != breakerClosed {
		return false // the probe's own verdict counts, not what others still lose
	}
	if len(b.traps) < most {
		b.traps = append(b.traps, now)
	} else {
		b.traps[b.next] = now
		b.next = (b.next + 1) % most
	}
	if len(b.traps) < most || now.Sub(b.traps[b.next]) > b.limits.Window {
		return false
	}
	longer := !b.closed.IsZero() && now.Sub(b.closed) < b.limits.Window+b.pause // it was not well for long
	b.open(now, longer)
	return true
}

// judge ends a probe; true when the breaker is closed now. A failure opens it for longer; what says nothing of the module, as a
// client that leaves, has the next request be the probe.
func (b *breaker) judge(now time.Time, code hostabi.Code) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch code {
	case hostabi.OK:
		b.closed, b.traps, b.next = now, b.traps[:0], 0
		b.state.Store(breakerClosed)
		return true
	case hostabi.Internal:
		b.open(now, true)
	default:
		b.state.Store(breakerOpen)
	}
	return false
}

// open starts a pause: the first one, or twice the last one; a quarter up or down, so that gateways that share a backend do not
// ask in step. b.mu is held.
func (b *breaker) open(now time.Time, longer bool) {
	if !longer || b.pause == 0 {
		b.pause = b.limits.Pause
	} else {
		b.pause *= 2
	}
	b.pause = min(b.pause, b.limits.MaxPause)
	wait := min(b.pause*3/4+rand.N(b.pause/2+1), b.limits.MaxPause)
	b.until, b.traps, b.next = now.Add(wait), b.traps[:0], 0
	b.state.Store(breakerOpen)
}

// left is how long the pause still is, and why there is one.
func (b *breaker) left(now time.Time) (wait time.Duration, why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.until.Sub(now), 0), b.why
}
