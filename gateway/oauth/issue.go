package oauth

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/session"
	"github.com/posternhq/postern/gateway/token"
)

// granting is what tokens are given for: a session, who asked for it, and what of it they get.
type granting struct {
	id      string
	account *account.Account
	client  *Client // nil: none asked
	scopes  []string
	nonce   string
	since   time.Time // when the user logged in
	withID  bool      // an id token is due
}

func newSession(a *account.Account, c *Client) *granting {
	return &granting{id: session.NewID(), account: a, client: c, since: time.Now()}
}

// tokens is the answer of RFC 6749, section 5.1.
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Refresh string `json:"refresh_token,omitempty"`
	Expires int64  `json:"expires_in,omitempty"` // seconds; none: never
	ID      string `json:"id_token,omitempty"`
	Scope   string `json:"scope,omitempty"`
}

// begin gives out the first tokens of a session. Unless users may have several, those before it end.
func (s *Stage) begin(ctx context.Context, l *granting) (*tokens, *fault) {
	t, f := s.issue(l)
	if f != nil || s.o.MultipleLogin {
		return t, f
	}
	if err := s.o.Sessions.EndOlder(ctx, l.account.Name, l.id, s.over()); err != nil {
		return nil, unavailable(err)
	}
	return t, nil
}

// issue signs the tokens of a session.
func (s *Stage) issue(l *granting) (*tokens, *fault) {
	keys, now := s.o.Keys.Keys(), time.Now()
	maxAge, inactivity := s.lives(l.client)
	t := &tokens{Type: "Bearer", Expires: int64(maxAge / time.Second), Scope: strings.Join(l.scopes, " ")}
	access := s.claims(l, token.Access, now, maxAge)
	if issuer := keys.Issuer(); issuer != "" {
		access.Audience = jwt.Audience{issuer}
	}
	var err error
	if t.Access, err = keys.Sign(access); err != nil {
		return nil, keyFault(err)
	}
	if maxAge > 0 { // what never expires needs no refreshing
		if t.Refresh, err = keys.Sign(s.refreshClaims(l, now, maxAge+inactivity)); err != nil {
			return nil, keyFault(err)
		}
	}
	if l.withID {
		if t.ID, err = keys.Sign(s.idClaims(l, now, t.Access)); err != nil {
			return nil, keyFault(err)
		}
	}
	return t, nil
}

// lives are the client's, or, without a client, everybody's.
func (s *Stage) lives(c *Client) (maxAge, inactivity time.Duration) {
	if c == nil {
		return s.o.MaxAge, s.o.Inactivity
	}
	return c.MaxAge, c.Inactivity
}

// claims are what tokens of all kinds say. With life 0 they have no end.
func (s *Stage) claims(l *granting, kind token.Kind, now time.Time, life time.Duration) *token.Claims {
	c := &token.Claims{Kind: kind, Username: l.account.Name, Session: l.id, Scopes: l.scopes}
	c.Subject, c.IssuedAt = l.account.Name, jwt.NewNumericDate(now)
	if life > 0 {
		c.Expiry = jwt.NewNumericDate(now.Add(life))
	}
	if l.client != nil {
		c.Audience = jwt.Audience{l.client.Name}
	}
	return c
}

// refreshClaims also say which user it was: one of the same name who comes later is somebody else.
func (s *Stage) refreshClaims(l *granting, now time.Time, life time.Duration) *token.Claims {
	c := s.claims(l, token.Refresh, now, life)
	c.AuthTime = jwt.NewNumericDate(l.since)
	c.Extra = uidOf(l.account)
	return c
}

const extraUID = "account-uid"

func uidOf(a *account.Account) map[string][]string {
	if a.UID == "" {
		return nil
	}
	return map[string][]string{extraUID: {a.UID}}
}

// accountOf is the account that a token was given to, if it may still use it. Somebody who is locked for failed logins has
// not lost the sessions of before.
func (s *Stage) accountOf(c *token.Claims) *account.Account {
	a := s.o.Users.Account(c.Username)
	if a == nil || a.State == account.Disabled {
		return nil
	}
	if uid := c.Extra[extraUID]; len(uid) > 0 && uid[0] != a.UID {
		return nil
	}
	return a
}

// ready is nil once everybody who has an account is known: until then an account that is missing may be there.
func (s *Stage) ready() error {
	if s.o.Ready == nil {
		return nil
	}
	return s.o.Ready()
}

// idLife is how long an id token is good: it says that somebody has logged in just now.
const idLife = time.Hour

// idClaims are those of an id token: OpenID Connect Core 1.0, sections 2, 3.1.3.6 and 5.4. Who somebody is beyond their
// name is told to clients that asked for it.
func (s *Stage) idClaims(l *granting, now time.Time, access string) *token.Claims {
	c := s.claims(l, token.ID, now, idLife)
	c.Scopes, c.Nonce, c.AuthTime, c.AccessHash = nil, l.nonce, jwt.NewNumericDate(l.since), halfHash(access)
	if slices.Contains(l.scopes, "profile") {
		c.Name, c.PreferredUsername, c.Locale = displayName(l.account), l.account.Name, l.account.Lang
	}
	if slices.Contains(l.scopes, "email") {
		c.Email = l.account.Email
	}
	return c
}

// displayName is how people read the account's name.
func displayName(a *account.Account) string { return cmp.Or(a.DisplayName, a.Name) }

// halfHash is at_hash for tokens signed with a SHA-256 algorithm.
func halfHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2])
}

func dateOf(t time.Time) *jwt.NumericDate { return jwt.NewNumericDate(t) }
