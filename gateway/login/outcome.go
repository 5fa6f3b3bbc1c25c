package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/account"
)

// throttled is nil if another attempt may be made now.
func (c *Checker) throttled(ctx context.Context, user, address string) error {
	if c.o.Throttle == nil {
		return nil
	}
	if wait := c.o.Throttle.Wait(ctx, user, address); wait > 0 {
		return &Throttled{RetryAfter: wait}
	}
	return nil
}

// ended counts and records how an attempt ended. Guesses at users that do not exist are counted and not recorded: nobody
// would read the records, and everybody could cause them.
func (c *Checker) ended(ctx context.Context, user string, a Attempt, found *account.Account, err error) {
	if c.o.Throttle != nil {
		switch {
		case err == nil:
			c.o.Throttle.Succeeded(ctx, user, a.Address)
		case errors.Is(err, ErrWrong):
			c.o.Throttle.Failed(ctx, user, a.Address)
		}
	}
	if c.o.Recorder == nil || found == nil {
		return
	}
	r := Record{
		User: found.Name, Kind: KindPassword, Provider: a.Provider, SourceIP: a.Address, UserAgent: a.UserAgent,
		Success: err == nil, Time: time.Now(),
	}
	if err != nil {
		r.Reason = err.Error()
	}
	c.o.Recorder.Record(r)
}

var errNoProvider = errors.New("no identity provider checks passwords")

// elsewhere has the provider check the password. Nothing is remembered: the provider may lock the user at any time.
func (c *Checker) elsewhere(ctx context.Context, a Attempt) (*account.Account, error) {
	if c.directory == nil {
		return nil, fmt.Errorf("cannot log in with provider %q: %w", a.Provider, errNoProvider)
	}
	known := c.find(a.Name)
	if known != nil && known.Provider != a.Provider {
		known = nil
	}
	name := a.Name
	a.Name = strings.ToLower(name) // directories take capitals or not: that must give nobody more tries
	return c.turn(ctx, a, known, c.abroad, func() (*account.Account, error) {
		found, err := c.directory.Login(ctx, a.Provider, name, a.Password)
		if err != nil {
			return nil, err
		}
		return admit(found)
	})
}
