package module

import (
	"sync"
	"time"
)

// The pauses after an instance could not be made; each failure in a row doubles it.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
)

// births makes a generation's instances. An instance costs milliseconds of CPU and some MB, also one that fails in the
// end; so after a failure requests are told of it for a while, and none of them tries again.
type births struct {
	mu    sync.Mutex
	tries int // in all
	err   error
	pause time.Duration
	until time.Time
}

// try makes an instance, or repeats why the last try failed.
func (b *births) try(g *Generation) (*instance, error) {
	if err := b.begin(); err != nil {
		return nil, err
	}
	i, err := newInstance(g)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err = err; err == nil {
		b.pause = 0
		return i, nil
	}
	b.pause = min(max(2*b.pause, firstPause), lastPause)
	b.until = time.Now().Add(b.pause)
	g.trapped(TrapStart, err)
	return nil, err
}

func (b *births) begin() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil && time.Now().Before(b.until) {
		return b.err
	}
	b.tries++
	return nil
}
