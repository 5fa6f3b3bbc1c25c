package authn

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posternhq/postern/gateway/exchange"
)

// maxToken is the longest token that is looked at, in bytes. With groups in it one is some 2 KiB.
const maxToken = 16 << 10

// Types of token that are good as bearer tokens. Refresh tokens, codes and id tokens, which the same secret may have
// signed, are not: each is good at one endpoint.
const (
	AccessToken = "access_token"
	StaticToken = "static_token" // without end
)

var (
	errTokenType = errors.New("not an access token")
	errNoExpiry  = errors.New("access token without exp")
)

// claims is what a token says.
type claims struct {
	jwt.Claims
	TokenType string              `json:"token_type,omitempty"`
	Username  string              `json:"username,omitempty"`
	Extra     map[string][]string `json:"extra,omitempty"`
}

// bearer checks tokens.
type bearer struct {
	stage *Stage
	key   []byte
	cache *cache
}

func newBearer(s *Stage) *bearer {
	return &bearer{stage: s, key: padded(s.o.Secret), cache: new(cache)}
}

// padded makes a short secret as long as the library wants HS256 keys to be. HMAC itself pads keys with zeros up to 64
// bytes (RFC 2104), so the signatures are the same.
func padded(secret []byte) []byte {
	return append(append(make([]byte, 0, len(secret)+sha256.Size), secret...), make([]byte, max(0, sha256.Size-len(secret)))...)
}

// verify says whose token it is. That user must exist and not be disabled now, whatever was so when it was issued; one
// who is locked for failed logins has not lost the sessions of before.
func (b *bearer) verify(token []byte) (*exchange.User, error) {
	switch {
	case len(token) == 0:
		return nil, errMalformed
	case len(token) > maxToken:
		return nil, errTooLong
	}
	key, now := sha256.Sum256(token), time.Now()
	e := b.cache.get(&key, now.UnixNano())
	if e == nil {
		return b.verifyNew(key, string(token), now)
	}
	account := b.stage.o.Users.Account(e.user.Name)
	if account == e.account {
		return e.user, nil
	}
	return b.admit(key, e.expires, account, e.user.Extra)
}

func (b *bearer) verifyNew(key [sha256.Size]byte, token string, now time.Time) (*exchange.User, error) {
	c, err := b.parse(token, now)
	if err != nil {
		return nil, err
	}
	expires := int64(math.MaxInt64)
	if c.Expiry != nil && c.Expiry.Time().Year() < 2200 { // beyond, nanoseconds overflow
		expires = c.Expiry.Time().Add(b.stage.o.ClockSkew).UnixNano()
	}
	return b.admit(key, expires, b.stage.o.Users.Account(c.Username), c.Extra)
}

// admit remembers the token for the account as it is now, unless that may not pass.
func (b *bearer) admit(key [sha256.Size]byte, expires int64, account *Account, extra map[string][]string) (*exchange.User, error) {
	if account == nil {
		return nil, errNoAccount
	}
	if account.State == Disabled {
		return nil, errInactive
	}
	e := &entry{key: key, expires: expires, account: account, user: b.stage.user(account, Bearer, extra)}
	b.cache.put(e)
	return e.user, nil
}

// parse checks signature, issuer, times and type. HS256 is the only algorithm, whatever the token says.
func (b *bearer) parse(token string, now time.Time) (*claims, error) {
	signed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, fmt.Errorf("cannot parse token: %w", err)
	}
	c := new(claims)
	if err := signed.Claims(b.key, c); err != nil {
		return nil, fmt.Errorf("cannot verify token: %w", err)
	}
	if err := c.ValidateWithLeeway(jwt.Expected{Issuer: b.stage.o.Issuer, Time: now}, b.stage.o.ClockSkew); err != nil {
		return nil, fmt.Errorf("cannot accept token of user %q: %w", c.Username, err)
	}
	if c.Username == "" {
		c.Username = c.Subject
	}
	switch {
	case c.TokenType != AccessToken && c.TokenType != StaticToken:
		return nil, errTokenType
	case c.TokenType == AccessToken && c.Expiry == nil && b.stage.o.MaxAge > 0:
		return nil, errNoExpiry
	}
	return c, nil
}
