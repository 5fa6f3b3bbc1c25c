package httpwasm

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
)

// instance is one instantiated guest: it serves one exchange at a time, from handle_request to handle_response.
type instance struct {
	process   *module.Process
	request   api.Function
	response  api.Function
	features  uint32 // enabled while it started
	broken    bool   // it trapped, and must not run again
	blameless bool   // not by a fault of its own
	stack     [2]uint64
	call      call
}

// pool holds a generation's instances, at most as many as slots has room for.
type pool struct {
	slots   chan struct{} // one for each exchange in an instance
	lasting chan struct{} // one for each of them that has no deadline
	waiting atomic.Int64
	births  births

	mu    sync.Mutex
	idle  []*instance // the last one used is used first: its memory is warm
	spare int         // the least that were idle since the last trim
}

func newPool(size int) *pool {
	return &pool{slots: make(chan struct{}, size), lasting: make(chan struct{}, max(size/2, 1))}
}

// maxWaiting is how many exchanges may wait for an instance, for each that has one.
const maxWaiting = 8

var errFull = errors.New("the filter had no room for the request in time")

// enter takes a slot for x: at once, or after waiting in a bounded queue for at most d.
func (p *pool) enter(x *exchange.Exchange, d time.Duration) error {
	if x.Info.LongRunning() {
		if err := p.wait(p.lasting, x, d); err != nil {
			return err
		}
	}
	err := p.wait(p.slots, x, d)
	if err != nil && x.Info.LongRunning() {
		<-p.lasting
	}
	return err
}

func (p *pool) wait(slots chan struct{}, x *exchange.Exchange, d time.Duration) error {
	select {
	case slots <- struct{}{}:
		return nil
	default:
	}
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > int64(maxWaiting*cap(p.slots)) {
		return errFull
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case slots <- struct{}{}:
		return nil
	case <-timer.C:
	case <-x.Context().Done():
	}
	return errFull
}

// leave gives the slot back.
func (p *pool) leave(lasting bool) {
	<-p.slots
	if lasting {
		<-p.lasting
	}
}

// take is an idle instance, or a new one.
func (p *pool) take(g *generation) (*instance, error) {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		i := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.spare = min(p.spare, n-1)
		p.mu.Unlock()
		return i, nil
	}
	p.spare = 0
	p.mu.Unlock()
	return p.births.try(g.start)
}

// put makes an instance idle again, or ends it when it is broken.
func (p *pool) put(i *instance) {
	p.births.ended(!i.broken || i.blameless)
	if i.broken {
		i.process.Close()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, i)
}

// trim ends half of the instances that nobody has needed since the last trim; one stays.
func (p *pool) trim() {
	p.mu.Lock()
	n := min((p.spare+1)/2, len(p.idle)-1)
	var gone []*instance
	if n > 0 {
		gone = append(gone, p.idle[:n]...)
		p.idle = append(p.idle[:0], p.idle[n:]...)
	}
	p.spare = len(p.idle)
	p.mu.Unlock()
	for _, i := range gone {
		i.process.Close()
	}
}

// close ends all instances. None is in use.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, i := range p.idle {
		i.process.Close()
	}
	p.idle = nil
}

// The pauses after failures: an instance costs up to milliseconds of CPU, so a guest that fails again and again is left
// alone for a while, in which requests are told so. After it one instance at a time is a probe.
const (
	maxFailures = 5 // in a row
	firstPause  = 100 * time.Millisecond
	lastPause   = 30 * time.Second
)

// births makes instances, unless the guest has failed too often.
type births struct {
	mu       sync.Mutex
	failures int // in a row: traps, and starts that failed
	pause    time.Duration
	until    time.Time
}

func (b *births) try(start func() (*instance, error)) (*instance, error) {
	b.mu.Lock()
	if now := time.Now(); b.failures >= maxFailures {
		if now.Before(b.until) {
			defer b.mu.Unlock()
			return nil, fmt.Errorf("the guest has failed %d times in a row and is left alone for a while", b.failures)
		}
		b.until = now.Add(b.pause) // the others wait for what becomes of this one
	}
	b.mu.Unlock()
	i, err := start()
	if err != nil {
		b.ended(false)
	}
	return i, err
}

// ended counts how an exchange, or a start, has ended.
func (b *births) ended(well bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if well {
		b.failures, b.pause = 0, 0
		return
	}
	if b.failures++; b.failures >= maxFailures {
		b.pause = min(max(2*b.pause, firstPause), lastPause)
		b.until = time.Now().Add(b.pause)
	}
}
