package authn

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn/oidc"
	"github.com/posternhq/postern/gateway/authn/review"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/token"
)

var (
	errNoExpiry = errors.New("access token without exp")
	errEnded    = errors.New("session has ended")
	errAnother  = errors.New("token of a user of before who had that name")
)

// clockSkew is how far the clocks of kube-apiserver, which says when an account was made, and of whoever has signed a token
// may differ.
const clockSkew = 10 * time.Second

// bearer says whose token it is. A user of ours must exist and not be disabled now, whatever was so when it was issued; one
// who is locked for failed logins has not lost the sessions of before. The token's session becomes that of x.
func (s *Stage) bearer(x *exchange.Exchange, text []byte) (*exchange.User, error) {
	switch {
	case len(text) == 0:
		return nil, errMalformed
	case len(text) > token.MaxLength:
		return nil, errTooLong
	}
	key, now := sha256.Sum256(text), time.Now()
	keys := s.o.Keys.Keys()
	e := s.o.Cache.get(&key, now.UnixNano())
	if e == nil || !s.trusts(e, keys) {
		e, err := s.verify(x, key, string(text), keys)
		if err != nil {
			return nil, err
		}
		x.Session = e.session
		return s.admit(e)
	}
	x.Session = e.session
	if e.stage == s && e.epoch == s.epoch() && e.account == s.o.Users.Account(e.name) {
		return e.user, nil
	}
	return s.admit(e)
}

// trusts says whether who has vouched for the token would still be asked.
func (s *Stage) trusts(e *entry, keys *token.Keys) bool {
	switch by := e.by.(type) {
	case *token.Keys:
		return by == keys
	case *oidc.Issuer:
		return e.stage == s || slices.Contains(s.o.Issuers, by)
	case *review.Reviewer:
		return by == s.o.Reviewer
	}
	return false
}

// verify checks a token that nothing is known of. Whom it says that it comes from decides who is asked; that it is from there
// has to be shown to them.
func (s *Stage) verify(x *exchange.Exchange, key [sha256.Size]byte, text string, keys *token.Keys) (*entry, error) {
	hint := peek(text)
	for _, issuer := range s.o.Issuers {
		if issuer.URL() == hint.Issuer {
			return verifyIssuer(x.Context(), issuer, key, text)
		}
	}
	if s.o.Reviewer != nil && strings.HasPrefix(hint.Subject, review.Prefix) && hint.Issuer != keys.Issuer() {
		return verifyServiceAccount(x.Context(), s.o.Reviewer, key, text, hint)
	}
	return verifyOwn(keys, key, text)
}

func verifyOwn(keys *token.Keys, key [sha256.Size]byte, text string) (*entry, error) {
	c, err := keys.Verify(text, token.Access, token.Static)
	if err != nil {
		return nil, err
	}
	e := &entry{key: key, expires: math.MaxInt64, by: keys, method: Bearer, name: c.Username, session: c.Session, extra: c.Extra}
	if c.IssuedAt != nil {
		e.issued = c.IssuedAt.Time()
	}
	if c.Expiry != nil && c.Expiry.Time().Year() < 2200 { // beyond, nanoseconds overflow
		e.expires = c.Expiry.Time().Add(keys.Skew()).UnixNano()
	}
	e.endless = c.Kind == token.Access && c.Expiry == nil
	return e, nil
}

// admit remembers the token of e for this stage and the account as it is now, unless it may not pass any more.
func (s *Stage) admit(e *entry) (*exchange.User, error) {
	epoch := s.epoch() // before everything else: what ends from here on is looked at with the next request
	ready := s.ready()
	a := s.o.Users.Account(e.name)
	switch {
	case a == nil && ready != nil:
		return nil, ready
	case e.endless && s.o.MaxAge > 0:
		return nil, errNoExpiry
	case a == nil && e.method == Bearer:
		return nil, errNoAccount
	case a != nil && a.State == account.Disabled:
		return nil, errInactive
	case e.method == Bearer && !e.issued.IsZero() && e.issued.Add(clockSkew).Before(a.Created):
		return nil, errAnother
	case s.o.Sessions != nil && s.o.Sessions.Ended(e.name, e.session, e.issued):
		return nil, errEnded
	}
	n := *e
	n.stage, n.epoch, n.account = s, epoch, a
	switch {
	case e.method != Bearer:
		n.user = s.foreign(e)
	case e.extra == nil && e.session == "":
		n.user = s.users.of(s, a, Bearer)
	default:
		n.user = s.user(a, Bearer, e.extra)
		n.user.Session = e.session
	}
	s.o.Cache.put(&n)
	return n.user, nil
}

// ready is nil once everybody who has an account is known. Until then nobody can tell a user who is gone, or disabled, from
// one who has not been read.
func (s *Stage) ready() error {
	if s.o.Ready == nil {
		return nil
	}
	if err := s.o.Ready(); err != nil {
		return fmt.Errorf("%w: %w", errNotReady, err)
	}
	return nil
}

func (s *Stage) epoch() uint64 {
	if s.o.Sessions == nil {
		return 0
	}
	return s.o.Sessions.Epoch()
}
