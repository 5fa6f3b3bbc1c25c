// Package login checks passwords, for everybody who takes one: Basic authorization and the password grant. It bounds how
// many are tried and how much CPU that takes, and remembers for a minute what was right.
package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/account"
)

// TTL is how long a password that was right is not checked again. It is much shorter than the life of a token, since
// nothing revokes it but a change of the password.
const TTL = time.Minute

// The longest name and password that are looked at, in bytes.
const (
	MaxName     = 253  // as Kubernetes' object names, or an e-mail
	MaxPassword = 1024 // bcrypt looks at 72
)

// Reasons of a refusal. Whether the name or the password is wrong is not told.
var (
	ErrWrong    = errors.New("wrong user name or password")
	ErrInactive = errors.New("user is not active")
	ErrBusy     = errors.New("too many passwords are being checked")

	// ErrUnavailable says that nobody can tell yet whose name it is. It is counted for nobody.
	ErrUnavailable = errors.New("users have not been read yet")
)

// Throttled says that too many attempts have failed.
type Throttled struct{ RetryAfter time.Duration }

// Error is the text for logs.
func (e *Throttled) Error() string {
	return fmt.Sprintf("too many failed logins: try again in %v", e.RetryAfter.Round(time.Second))
}

// Attempt is one attempt to log in.
type Attempt struct {
	Name, Password     string // name or e-mail
	Address, UserAgent string // where from
	Provider           string // identity provider that has the password; empty: the platform itself
}

// Throttle counts attempts that have failed, by user and by address.
type Throttle interface {
	// Wait is how long until another attempt may be made; 0: now.
	Wait(ctx context.Context, user, address string) time.Duration
	Failed(ctx context.Context, user, address string)
	Succeeded(ctx context.Context, user, address string)
}

// Directory checks passwords elsewhere. Its error is ErrWrong, or wraps it, if that says the password is wrong.
type Directory interface {
	Login(ctx context.Context, provider, name, password string) (*account.Account, error)
}

// Kinds of Record.
const (
	KindPassword = "Password"
	KindOAuth    = "OAuth"
	KindToken    = "Token"
)

// Record is one login, or a failed attempt at one.
type Record struct {
	User, Kind, Provider, SourceIP, UserAgent string
	Success                                   bool
	Reason                                    string
	Time                                      time.Time
}

// Recorder takes records. It must not block.
type Recorder interface{ Record(Record) }

// Options of a Checker.
type Options struct {
	Users      account.Users         // nil: nobody has an account
	Ready      func() error          // nil once Users has everybody; until then a name that it lacks is not a wrong one. May be nil
	Throttle   Throttle              // nil: no limit
	Recorder   Recorder              // nil: not recorded
	Registerer prometheus.Registerer // nil: not counted
}

// Checker checks passwords. It outlives configurations: what it remembers is good under any.
type Checker struct {
	o         Options
	directory Directory
	*hashing
}

// New makes a checker that remembers nothing yet.
func New(o Options) *Checker {
	if o.Users == nil {
		o.Users = (*account.Directory)(nil)
	}
	return &Checker{o: o, hashing: newHashing(o.Registerer)}
}

// WithDirectory is c with another directory for attempts that name a provider. Both share everything else.
func (c *Checker) WithDirectory(d Directory) *Checker {
	n := *c
	n.directory = d
	return &n
}

// Known is the account whose name or e-mail and password were found right within the last minute, and are still; nil:
// ask Password. It allocates nothing, and keeps neither name nor password.
func (c *Checker) Known(name, password string) *account.Account {
	if len(name) > MaxName || len(password) > MaxPassword {
		return nil
	}
	a := c.find(name)
	if a == nil || a.State != account.Active {
		return nil
	}
	if key := c.key(name, password, c.usableHash(a)); !c.seen.has(&key, time.Now().UnixNano()) {
		return nil
	}
	return a
}

// Password says whose name and password these are. The error is ErrWrong, ErrInactive, ErrBusy, ErrUnavailable or a
// *Throttled; or another one if the provider cannot be asked. A password that is known to be right is not held up by failures of others.
func (c *Checker) Password(ctx context.Context, a Attempt) (*account.Account, error) {
	if a.Name == "" || len(a.Name) > MaxName || len(a.Password) > MaxPassword {
		return nil, ErrWrong
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if a.Provider != "" {
		return c.elsewhere(ctx, a)
	}
	ready := c.ready() // before the look: what is missing then is missing
	found := c.find(a.Name)
	if found == nil && ready != nil {
		return nil, ready
	}
	key := c.key(a.Name, a.Password, c.usableHash(found))
	if c.seen.has(&key, time.Now().UnixNano()) {
		return admit(found)
	}
	if err := c.check(ctx, key, a, found); err != nil {
		return nil, err
	}
	return admit(found)
}

// locked is when an account that is locked may try again. Its state says that somebody else has counted, and does not say
// when they stop.
const locked = time.Minute

// admit refuses accounts that may not log in. Only who knows the password learns why.
func admit(found *account.Account) (*account.Account, error) {
	switch {
	case found == nil:
		return nil, ErrWrong
	case found.State == account.AuthLimitExceeded:
		return nil, &Throttled{RetryAfter: locked}
	case found.State != account.Active:
		return nil, ErrInactive
	}
	return found, nil
}

// ready is nil once everybody who has an account is known.
func (c *Checker) ready() error {
	if c.o.Ready == nil {
		return nil
	}
	if err := c.o.Ready(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// find is the account of a name or e-mail. No name has an @.
func (c *Checker) find(name string) *account.Account {
	if strings.IndexByte(name, '@') >= 0 {
		return c.o.Users.ByEmail(name)
	}
	return c.o.Users.Account(name)
}
