package upstream

import "time"

// popOldest takes the connection off the idle ones that has been idle longest. p.mu is held.
func (p *Pool) popOldest() *conn {
	cn := p.idle[0]
	p.idle = append(p.idle[:0], p.idle[1:]...)
	return cn
}

// forget closes a connection and gives its place up. p.mu is held; an idle connection's close does not block.
func (p *Pool) forget(cn *conn) {
	_ = cn.raw.Close()
	cn.dropBuffer()
	delete(p.all, cn)
	p.open--
}

// arm has sweep run after d. p.mu is held.
func (p *Pool) arm(d time.Duration) {
	if p.sweeper == nil {
		p.sweeper = time.AfterFunc(d, p.sweep)
		return
	}
	p.sweeper.Reset(d)
}

// sweep closes the connections that have been idle for IdleTimeout.
func (p *Pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	now := time.Now()
	for len(p.idle) > 0 && now.Sub(p.idle[0].since) >= p.opt.IdleTimeout {
		p.forget(p.popOldest())
	}
	if len(p.idle) > 0 {
		p.arm(p.opt.IdleTimeout - now.Sub(p.idle[0].since))
	}
}
