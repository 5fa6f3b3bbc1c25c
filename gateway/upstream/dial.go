package upstream

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"
)

// keepAlive finds dead targets behind silent watches: after 30 s without traffic, three probes of 10 s.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}

// dial opens a connection for c, whose place among MaxConns is taken already and given back on failure.
func (p *Pool) dial(c *call) (*conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.opt.DialTimeout)
	defer cancel()
	if !c.onCancel(cancel) {
		p.freeSlot()
		return nil, p.fail(KindCanceled, errNotDone)
	}
	cn, err := p.connect(ctx)
	c.onCancel(nil)
	if err != nil {
		p.freeSlot()
		return nil, p.fail(c.dialKind(err), err)
	}
	p.dials.Add(1)
	p.mu.Lock()
	p.all[cn] = struct{}{}
	closed := p.closed
	p.mu.Unlock()
	if closed {
		p.discard(cn)
		return nil, p.fail(KindExhausted, errClosed)
	}
	return cn, nil
}

func (p *Pool) connect(ctx context.Context) (*conn, error) {
	d := net.Dialer{KeepAliveConfig: keepAlive}
	raw, err := d.DialContext(ctx, "tcp", p.opt.Addr)
	if err != nil {
		return nil, err
	}
	if p.tls == nil {
		return newConn(p, raw, raw), nil
	}
	c := tls.Client(raw, p.tls)
	if err := c.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return newConn(p, c, raw), nil
}

// dialKind says what a failed dial means.
func (c *call) dialKind(err error) Kind {
	var timeout net.Error
	switch {
	case c.isCanceled():
		return KindCanceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return KindTimeout
	}
	return KindUnreachable
}
