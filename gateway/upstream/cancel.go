package upstream

import "time"

// past is a deadline that has passed.
var past = time.Unix(1, 0)

// Cancel ends the call because its client has left: whatever it waits for fails. It implements exchange.Canceler.
func (c *call) Cancel() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.canceled = true
	if c.onGone != nil {
		c.onGone()
		c.onGone = nil
	}
	if c.deadline != nil {
		_ = c.deadline.raw.SetDeadline(past)
	}
}

func (c *call) isCanceled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.canceled
}

// onCancel has f called when the client leaves; nil takes it back. It is false when the client has left already.
func (c *call) onCancel(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onGone = f
	if c.canceled {
		c.onGone = nil
	}
	return !c.canceled
}

// attach makes cn the call's connection.
func (c *call) attach(cn *conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cn, c.deadline = cn, cn
	cn.limit(c.headLimit())
	if c.canceled {
		_ = cn.raw.SetDeadline(past)
	}
}

// detach takes the connection out of Cancel's reach.
func (c *call) detach() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = nil
}

// untime takes the deadline off, unless the client has left: its deadline in the past must stay.
func (c *call) untime() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	if c.canceled {
		return errNotDone
	}
	c.cn.untime()
	return nil
}

// end gives the call's connection back, or closes it, and the call to its pool. It is the last thing done with c.
func (c *call) end(reuse bool) {
	c.up.stop(c)
	c.x.CancelOnGone(nil)
	c.detach()
	if cn := c.cn; cn != nil {
		if reuse && !c.canceled && len(cn.unread()) == 0 {
			c.pool.release(cn)
		} else {
			c.pool.discard(cn)
		}
	}
	c.recycle()
}

// recycle empties c, keeps its buffers unless they have grown large, and pools it.
func (c *call) recycle() {
	out := c.out[:0]
	if cap(out) > 16<<10 {
		out = nil
	}
	c.in.reset()
	c.head.reset()
	c.rest.trailer.reset()
	// Not one assignment: a mutex is not copied.
	c.pool, c.x, c.cn, c.req, c.out = nil, nil, nil, Request{}, out
	c.body, c.upgrade, c.trailers = noBody, false, false
	c.up = upload{done: c.up.done}
	c.rest = rest{trailer: c.rest.trailer}
	c.canceled, c.waiting, c.onGone, c.deadline = false, false, nil, nil
	calls.Put(c)
}
