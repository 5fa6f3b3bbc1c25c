// Package session knows which sessions have ended, which one-time ids have been used, and who has failed to log in too
// often: in this process's memory, kept over a restart by a journal, and shared by replicas through Redis.
package session

import (
	"context"
	"errors"
	"time"
)

// Store is what those who issue, accept and end tokens need. Its methods may be called at once from anywhere.
type Store interface {
	// Ended says whether a token is over before its time: user's, of session (empty: of none), issued at that time. It asks
	// memory alone, takes no lock and allocates nothing, whatever stands behind.
	Ended(user, session string, issued time.Time) bool
	// Epoch changes whenever more has ended. Whoever keeps verified tokens reads it before Ended, and asks again only when it
	// has changed.
	Epoch() uint64
	// EndSession ends a session. until is when the last of its tokens is over anyway; then it is forgotten. The session is over
	// in this process when EndSession returns, with an error too: that says that other replicas, or this one after a restart,
	// may not know yet, and that it is tried again.
	EndSession(ctx context.Context, session string, until time.Time) error
	// EndUser ends all sessions of user that began before now, but keep ("": none), as EndSession does. keep must be alive.
	EndUser(ctx context.Context, user, keep string, until time.Time) error
	// EndOlder ends all sessions of user that began before session did: what a login does where a user may have one session
	// only. Of two logins at once the later one stays. session is one of NewID.
	EndOlder(ctx context.Context, user, session string, until time.Time) error
	// Once says whether id is seen for the first time, by any replica: authorization codes and refresh tokens are good once.
	// until is when id is refused for another reason anyway. With an error nobody knows, so the answer is no.
	Once(ctx context.Context, id string, until time.Time) (first bool, err error)
	Throttle
	// Close ends what works behind. Ended, Epoch and Wait go on with what is known.
	Close() error
}

// Throttle counts failed attempts to log in, by user and by address; both may be empty, and then are not counted. Users that
// do not exist are counted like others, so that nobody learns which do. An address is an IP without port; IPv6 addresses
// are counted by their /64 network, which one subscriber has.
type Throttle interface {
	// Wait is how long until another attempt may be made; 0: now. Whoever queues between Wait and the check asks again.
	Wait(ctx context.Context, user, address string) time.Duration
	// Failed counts at once, for all replicas.
	Failed(ctx context.Context, user, address string)
	// Succeeded forgets the user's failures. The address's stay: an attacker may have an account, too.
	Succeeded(ctx context.Context, user, address string)
}

// Errors of End and Once; match them with errors.Is.
var (
	ErrUnavailable = errors.New("the store of sessions cannot be reached")
	ErrFull        = errors.New("the store of sessions is full")
)

// Settings are what a configuration says; they may change while the store is in use.
type Settings struct {
	Redis *Redis // nil: this process's memory
	// Local has Once and End do with this process's memory while Redis is gone. Logins go on then, and each replica by itself
	// cannot know what the others have let pass. Without it they fail with ErrUnavailable.
	Local bool
	// MaxTries failures within Window lock a user for Window; ten times as many, or AddressTries, an address. 0: no limit.
	MaxTries, AddressTries int
	Window                 time.Duration
}

// Redis says which Redis replicas share. It is comparable.
type Redis struct {
	Address  string // host:port
	Username string // empty: the default user
	Password string
	DB       int
}
