package authn

import (
	"crypto/sha256"
	"errors"
	"math"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/token"
)

var (
	errNoExpiry = errors.New("access token without exp")
	errEnded    = errors.New("session has ended")
)

// bearer says whose token it is. That user must exist and not be disabled now, whatever was so when it was issued; one who
// is locked for failed logins has not lost the sessions of before.
func (s *Stage) bearer(text []byte) (*exchange.User, error) {
	switch {
	case len(text) == 0:
		return nil, errMalformed
	case len(text) > token.MaxLength:
		return nil, errTooLong
	}
	key, now := sha256.Sum256(text), time.Now()
	keys := s.o.Keys.Keys()
	e := s.o.Cache.get(&key, now.UnixNano())
	if e == nil || e.keys != keys {
		return s.verify(key, string(text), keys)
	}
	// The epoch before everything else: what ends from here on is looked at with the next request.
	if e.stage == s && e.epoch == s.epoch() && e.account == s.o.Users.Account(e.account.Name) {
		return e.user, nil
	}
	return s.admit(e)
}

// verify checks a token that nothing is known of, or that other keys have verified.
func (s *Stage) verify(key [sha256.Size]byte, text string, keys *token.Keys) (*exchange.User, error) {
	c, err := keys.Verify(text, token.Access, token.Static)
	if err != nil {
		return nil, err
	}
	e := &entry{key: key, expires: math.MaxInt64, keys: keys, name: c.Username, session: c.Session, extra: c.Extra}
	if c.IssuedAt != nil {
		e.issued = c.IssuedAt.Time()
	}
	if c.Expiry != nil && c.Expiry.Time().Year() < 2200 { // beyond, nanoseconds overflow
		e.expires = c.Expiry.Time().Add(keys.Skew()).UnixNano()
	}
	e.endless = c.Kind == token.Access && c.Expiry == nil
	return s.admit(e)
}

// admit remembers the token of e for this stage and the account as it is now, unless it may not pass any more.
func (s *Stage) admit(e *entry) (*exchange.User, error) {
	epoch := s.epoch()
	a := s.o.Users.Account(e.name)
	switch {
	case e.endless && s.o.MaxAge > 0:
		return nil, errNoExpiry
	case a == nil:
		return nil, errNoAccount
	case a.State == account.Disabled:
		return nil, errInactive
	case s.o.Sessions != nil && s.o.Sessions.Ended(a.Name, e.session, e.issued):
		return nil, errEnded
	}
	n := *e
	n.stage, n.epoch, n.account = s, epoch, a
	n.user = s.users.of(s, a, Bearer)
	if n.extra != nil || n.session != "" {
		u := *n.user
		u.Extra, u.Session = n.extra, n.session
		n.user = &u
	}
	s.o.Cache.put(&n)
	return n.user, nil
}

func (s *Stage) epoch() uint64 {
	if s.o.Sessions == nil {
		return 0
	}
	return s.o.Sessions.Epoch()
}
