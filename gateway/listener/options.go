package listener

import (
	"cmp"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/rs/zerolog"
)

// Options are the settings of a Server. Zero values stand for the defaults.
type Options struct {
	// Serve answers every exchange.
	Serve exchange.Handler
	// TLS has the server speak TLS; nil: plain HTTP.
	TLS *TLS
	// Logger gets broken connections and refused requests at debug level, panics at error level.
	Logger zerolog.Logger

	// HeaderBytes is the longest request head: 16,384 by default. Every connection holds a buffer of this size.
	HeaderBytes int
	// HeaderTimeout is how long a head may take from its first byte, and a new connection until its first head, the TLS
	// handshake apart, which may take as long again: 10 s by default.
	HeaderTimeout time.Duration
	// IdleTimeout is how long a connection may wait for its next request: 2 min by default.
	IdleTimeout time.Duration
	// BodyTimeout is how long a request body may make the reader wait, before it has earned more: 30 s by default.
	BodyTimeout time.Duration
	// BodyRate is how many bytes of a body earn a second, up to BodyTimeout: 256 by default.
	BodyRate int
	// WriteTimeout is how long a client may take nothing of an answer: 2 min by default. Tunnels have no such limit.
	WriteTimeout time.Duration

	// MaxConnections is the number of open connections, tunnels included: 20,000 by default.
	MaxConnections int
	// MaxConnectionsPerIP is the number of them from one IPv4 address or one IPv6 /64; 0, the default: no limit, since
	// behind a load balancer all come from one.
	MaxConnectionsPerIP int
}

// withDefaults fills in what is not set.
func (o Options) withDefaults() Options {
	o.HeaderBytes = cmp.Or(o.HeaderBytes, 16*1024)
	o.HeaderTimeout = cmp.Or(o.HeaderTimeout, 10*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 2*time.Minute)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 30*time.Second)
	o.BodyRate = cmp.Or(o.BodyRate, 256)
	o.WriteTimeout = cmp.Or(o.WriteTimeout, 2*time.Minute)
	o.MaxConnections = cmp.Or(o.MaxConnections, 20000)
	return o
}
