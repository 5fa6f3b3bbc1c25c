package ldap

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/posternhq/postern/gateway/idp/outbound"
)

// What a directory may send, in bytes: in one message, and for one login.
const (
	maxMessage = 1 << 20
	maxLogin   = 4 << 20
)

// idleTime is how long a connection waits for the next login. Directories and the networks before them forget idle
// connections after minutes.
const idleTime = 30 * time.Second

// The library's own bound is 2 GiB, which it allocates when it is told so. There is no setting but this one.
func init() { ber.MaxPacketLengthBytes = maxMessage }

// pool keeps connections to one directory. Slots bound how many there are; whoever finds none free waits.
type pool struct {
	server server
	slots  chan struct{}

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

// conn is a connection that one login has at a time. Whose it is changes with every login, so each begins with a bind.
type conn struct {
	*ldap.Conn
	raw    *bounded
	reused bool
	forget *time.Timer
}

// bounded is a connection that gives up when the directory says too much.
type bounded struct {
	net.Conn
	left atomic.Int64
}

var errTooMuch = fmt.Errorf("the directory sent more than %d bytes", maxLogin)

func (b *bounded) Read(p []byte) (int, error) {
	if b.left.Load() <= 0 {
		return 0, errTooMuch
	}
	n, err := b.Conn.Read(p)
	b.left.Add(-int64(n))
	return n, err
}

func newPool(s server, size int) *pool { return &pool{server: s, slots: make(chan struct{}, size)} }

// get is a connection, kept or new.
func (p *pool) get(ctx context.Context) (*conn, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("cannot wait for one of %d connections: %w", cap(p.slots), ctx.Err())
	}
	c := p.take()
	if c == nil {
		var err error
		if c, err = p.dial(ctx); err != nil {
			<-p.slots
			return nil, err
		}
	}
	c.raw.left.Store(maxLogin)
	return c, nil
}

// take is an idle connection, the last one used first; nil: there is none.
func (p *pool) take() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		c.forget.Stop()
		if !c.IsClosing() {
			c.reused = true
			return c
		}
		_ = c.Close()
	}
	return nil
}

// put gives a connection back; one that is not good is closed.
func (p *pool) put(c *conn, good bool) {
	defer func() { <-p.slots }()
	p.mu.Lock()
	if good = good && !p.closed && !c.IsClosing(); good {
		c.forget = time.AfterFunc(idleTime, func() { p.drop(c) })
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !good {
		_ = c.Close()
	}
}

// drop closes c if it is idle.
func (p *pool) drop(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.idle {
		if other == c {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			_ = c.Close()
			return
		}
	}
}

// close closes what is idle now, and the rest when it is given back.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.forget.Stop()
		_ = c.Close()
	}
}

func (p *pool) dial(ctx context.Context) (*conn, error) {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", p.server.address)
	if err != nil {
		return nil, err
	}
	raw := &bounded{Conn: nc}
	raw.left.Store(maxLogin)
	if p.server.tls == nil || p.server.start {
		return p.begin(ctx, raw, nc, false)
	}
	secure, err := outbound.Handshake(ctx, raw, p.server.tls)
	if err != nil {
		return nil, errors.Join(err, nc.Close())
	}
	return p.begin(ctx, raw, secure, true)
}

// begin starts speaking LDAP.
func (p *pool) begin(ctx context.Context, raw *bounded, nc net.Conn, secure bool) (*conn, error) {
	if !secure {
		nc = raw
	}
	c := &conn{Conn: ldap.NewConn(nc, secure), raw: raw}
	c.Start()
	if p.server.start {
		stop := c.until(ctx)
		err := c.StartTLS(p.server.tls)
		stop()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("cannot start TLS: %w", err), c.Close())
		}
	}
	return c, nil
}

// until ends whatever c waits for when ctx ends. Call the function that it returns.
func (c *conn) until(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.raw.Close() })
}
