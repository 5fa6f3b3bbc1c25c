// Package upstream is the gateway's way to an HTTP/1.1 server behind it: a bounded pool of connections to one target,
// and Forward, which relays one exchange over it. It streams both ways in constant memory, frames every message anew
// and exactly once, and reads what the server sends with a strict parser, so that neither side can smuggle.
package upstream

import (
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// Options configure a Pool. Zero values mean the defaults named here.
type Options struct {
	// Addr is the target's host:port; it is required, and sent as Host unless Host is set.
	Addr string
	Host string
	// TLS makes connections TLS; nil: plain. It is cloned; ALPN is set to http/1.1 and a session cache is added.
	TLS *tls.Config
	// DialTimeout bounds TCP connect and TLS handshake together. Default 5 s.
	DialTimeout time.Duration
	// HeaderTimeout is from the last byte of a request until the response head. Default 60 s. Long-running requests
	// have none.
	HeaderTimeout time.Duration
	// WriteTimeout bounds one write of a streamed request body. Default 60 s.
	WriteTimeout time.Duration
	// IdleTimeout closes a connection that nobody used for so long. Default 90 s.
	IdleTimeout time.Duration
	// WaitTimeout bounds the wait for a connection when MaxConns are in use. Default 5 s.
	WaitTimeout time.Duration
	// Linger is how long a tunnel may stay silent after one side has closed its sending half. Default 30 s.
	Linger time.Duration
	// MaxConns bounds connections, busy and idle. A watch holds one. Default 20,000: below the 28,000 local ports
	// that Linux has for one target.
	MaxConns int
	// MaxIdle bounds idle connections. Default 512.
	MaxIdle int
	// MaxWaiting bounds the requests that wait for a connection. Default 1,024.
	MaxWaiting int
	// MaxHead bounds a response head, in bytes. Default and maximum 64 KiB.
	MaxHead int
}

// Pool keeps connections to one target. Its methods may be called at once by many goroutines.
type Pool struct {
	opt Options
	tls *tls.Config
	counters

	mu      sync.Mutex
	all     map[*conn]struct{} // every connection; bounded by MaxConns
	open    int                // connections that exist or are being dialled
	idle    []*conn            // oldest first; bounded by MaxIdle
	waiting []*waiter          // oldest first; bounded by MaxWaiting
	sweeper *time.Timer        // armed while there are idle connections
	closed  bool
}

// New makes a pool. It opens no connection yet.
func New(opt Options) *Pool {
	opt.setDefaults()
	return &Pool{opt: opt, tls: tlsConfig(opt), all: map[*conn]struct{}{}}
}

func (o *Options) setDefaults() {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{
		{&o.DialTimeout, 5 * time.Second},
		{&o.HeaderTimeout, time.Minute},
		{&o.WriteTimeout, time.Minute},
		{&o.IdleTimeout, 90 * time.Second},
		{&o.WaitTimeout, 5 * time.Second},
		{&o.Linger, 30 * time.Second},
	} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	for _, d := range []struct {
		v   *int
		def int
	}{{&o.MaxConns, 20000}, {&o.MaxIdle, 512}, {&o.MaxWaiting, 1024}, {&o.MaxHead, maxHead}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	o.MaxHead = min(o.MaxHead, maxHead)
	if o.Host == "" {
		o.Host = o.Addr
	}
}

// tlsConfig is the client side of opt's TLS; nil for plain connections.
func tlsConfig(opt Options) *tls.Config {
	if opt.TLS == nil {
		return nil
	}
	c := opt.TLS.Clone()
	c.NextProtos = []string{"http/1.1"}
	if c.ServerName == "" {
		c.ServerName = opt.Addr
		if host, _, err := net.SplitHostPort(opt.Addr); err == nil {
			c.ServerName = host
		}
	}
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(64) // one target: tickets, not hosts, are what it holds
	}
	return c
}

// Addr is the target's host:port.
func (p *Pool) Addr() string { return p.opt.Addr }

// Close closes every connection, busy ones too: what they relay breaks off, tunnels end. Requests that wait, and later
// ones, fail with KindExhausted.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.sweeper != nil {
		p.sweeper.Stop()
	}
	for c := range p.all {
		_ = c.raw.Close()
	}
	p.open -= len(p.idle)
	for _, c := range p.idle {
		delete(p.all, c)
	}
	p.idle = nil
	for _, w := range p.waiting {
		close(w.ready)
	}
	p.waiting = nil
}
