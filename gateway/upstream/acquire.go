package upstream

import (
	"errors"
	"time"
)

var (
	errClosed  = errors.New("the pool is closed")
	errQueue   = errors.New("too many requests wait for a connection")
	errWaited  = errors.New("no connection became free in time")
	errNotDone = errors.New("cancelled")
)

// waiter is a request that waits for a connection. ready gets one: an idle connection, or nil for the right to dial;
// it is closed with the pool.
type waiter struct{ ready chan *conn }

// acquire gives c a connection: the idle one that was used last, a new one, or, with MaxConns in use, the next that
// becomes free. fresh asks for a new one.
func (p *Pool) acquire(c *call, fresh bool) (*conn, error) {
	for {
		cn, w, err := p.take(fresh)
		switch {
		case err != nil:
			return nil, err
		case w != nil:
			cn, err = p.wait(c, w)
		case cn == nil:
			return p.dial(c)
		}
		if err != nil {
			return nil, err
		}
		if cn == nil {
			return p.dial(c)
		}
		if cn.usable() {
			cn.reused = true
			p.reused.Add(1)
			return cn, nil
		}
		p.discard(cn)
	}
}

// take returns an idle connection, a place in the queue, or neither: then the caller may dial.
func (p *Pool) take(fresh bool) (*conn, *waiter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, p.fail(KindExhausted, errClosed)
	}
	if n := len(p.idle); n > 0 {
		if !fresh {
			cn := p.idle[n-1]
			p.idle = p.idle[:n-1]
			return cn, nil, nil
		}
		if p.open >= p.opt.MaxConns {
			p.forget(p.popOldest())
		}
	}
	if p.open < p.opt.MaxConns {
		p.open++
		return nil, nil, nil
	}
	if len(p.waiting) >= p.opt.MaxWaiting {
		return nil, nil, p.fail(KindExhausted, errQueue)
	}
	w := &waiter{ready: make(chan *conn, 1)}
	p.waiting = append(p.waiting, w)
	p.waits.Add(1)
	return nil, w, nil
}

// wait waits for what w is given, WaitTimeout at most and no longer than the client does.
func (p *Pool) wait(c *call, w *waiter) (*conn, error) {
	timer := time.NewTimer(p.opt.WaitTimeout)
	defer timer.Stop()
	gone := make(chan struct{})
	if !c.onCancel(func() { close(gone) }) {
		close(gone)
	}
	defer c.onCancel(nil)
	var err error
	select {
	case cn, ok := <-w.ready:
		if !ok {
			return nil, p.fail(KindExhausted, errClosed)
		}
		return cn, nil
	case <-timer.C:
		err = p.fail(KindExhausted, errWaited)
	case <-gone:
		err = p.fail(KindCanceled, errNotDone)
	}
	p.leave(w)
	return nil, err
}

// leave takes w out of the queue, and gives back what it was given meanwhile.
func (p *Pool) leave(w *waiter) {
	p.mu.Lock()
	for i, q := range p.waiting {
		if q == w {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			p.mu.Unlock()
			return
		}
	}
	p.mu.Unlock()
	if cn, ok := <-w.ready; ok {
		if cn != nil {
			p.release(cn)
		} else {
			p.freeSlot()
		}
	}
}

// release gives back a connection on which a next request may be sent.
func (p *Pool) release(cn *conn) {
	cn.rest()
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.next(); w != nil {
		w.ready <- cn
		return
	}
	if p.closed || len(p.idle) >= p.opt.MaxIdle {
		p.forget(cn)
		return
	}
	cn.since = time.Now()
	p.idle = append(p.idle, cn)
	if len(p.idle) == 1 {
		p.arm(p.opt.IdleTimeout)
	}
}

// discard closes a connection and lets the next waiter dial.
func (p *Pool) discard(cn *conn) {
	_ = cn.raw.Close()
	cn.dropBuffer()
	p.mu.Lock()
	delete(p.all, cn)
	p.mu.Unlock()
	p.freeSlot()
}

// freeSlot hands the right to dial to the next waiter, or gives it up.
func (p *Pool) freeSlot() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.next(); w != nil {
		w.ready <- nil
		return
	}
	p.open--
}

// next takes the oldest waiter off the queue; nil if there is none. p.mu is held.
func (p *Pool) next() *waiter {
	if len(p.waiting) == 0 {
		return nil
	}
	w := p.waiting[0]
	p.waiting = append(p.waiting[:0], p.waiting[1:]...)
	return w
}
