package breaker

import (
	"sync"
	"time"
)

// state is what a backend's breaker does.
type state uint8

const (
	closed   state = iota // lets all through and counts
	opened                // lets nothing through until its time is over
	halfOpen              // lets a few probes through
)

// slots is how many parts a window has: the oldest is forgotten as a whole.
const slots = 10

// circuit is the breaker of one backend.
type circuit struct {
	opts *options

	mu     sync.Mutex
	state  state
	until  time.Time // opened: when probes may begin
	slot   [slots]struct{ all, failed int }
	at     int64 // number of the newest slot since the epoch
	probes int   // halfOpen: under way
	good   int   // halfOpen: probes that went well
	turn   int   // counts changes of state, so that what began before one does not count after it
}

// enter says whether a request may go on now, and if not, after how long to ask again.
func (c *circuit) enter(now time.Time) (turn int, ok bool, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == opened {
		if wait = c.until.Sub(now); wait > 0 {
			return 0, false, wait
		}
		c.change(halfOpen)
		c.probes, c.good = 0, 0
	}
	if c.state == halfOpen {
		if c.probes+c.good >= c.opts.probes {
			return 0, false, time.Second
		}
		c.probes++
		c.opts.probed.Inc()
	}
	return c.turn, true, 0
}

// verdict is how a request ended.
type verdict uint8

const (
	fine verdict = iota
	bad
	unknown // the client has left
)

// leave notes how a request ended that entered in that turn.
func (c *circuit) leave(now time.Time, turn int, v verdict) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn != c.turn {
		return
	}
	if c.state == halfOpen {
		c.probes--
		switch v {
		case bad:
			c.open(now)
		case fine:
			if c.good++; c.good >= c.opts.probes {
				c.change(closed)
				c.slot = [slots]struct{ all, failed int }{}
				c.opts.closed.Inc()
			}
		}
		return
	}
	if v == unknown {
		return
	}
	s := c.advance(now)
	c.slot[s].all++
	if v == bad {
		c.slot[s].failed++
		if all, failed := c.sum(); all >= c.opts.minimum && float64(failed) >= c.opts.rate*float64(all) {
			c.open(now)
		}
	}
}

func (c *circuit) open(now time.Time) {
	c.change(opened)
	c.until = now.Add(c.opts.openFor)
	c.opts.opened.Inc()
}

func (c *circuit) change(to state) {
	c.state = to
	c.turn++
}

// advance is now's slot, those that have grown too old emptied.
func (c *circuit) advance(now time.Time) int {
	at := now.UnixNano() / max(1, int64(c.opts.window)/slots)
	for i := max(c.at+1, at-slots+1); i <= at; i++ {
		c.slot[i%slots] = struct{ all, failed int }{}
	}
	c.at = max(c.at, at)
	return int(c.at % slots)
}

func (c *circuit) sum() (all, failed int) {
	for _, s := range c.slot {
		all, failed = all+s.all, failed+s.failed
	}
	return all, failed
}

// isOpen says whether requests are being refused.
func (c *circuit) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state != closed
}
