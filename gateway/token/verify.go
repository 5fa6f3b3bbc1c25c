package token

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// MaxLength is the longest token that is looked at, in bytes. With groups in it one is some 2 KiB.
const MaxLength = 16 << 10

// Reasons why a token is not good, besides those of its signature and times.
var (
	ErrKind     = errors.New("token of another kind")
	ErrAudience = errors.New("token is for somebody else")
	ErrTooLong  = errors.New("token too long")
	errKey      = errors.New("no key of ours has signed the token")
)

// Verify checks a token: its signature by a key of ours with the algorithm of that key, whatever the token says; iss; aud;
// exp, nbf and iat within the skew; and that it is one of kinds. Without username the claims' Username is the subject. A
// token without exp is good for ever: who does not want that looks at Expiry.
func (k *Keys) Verify(token string, kinds ...Kind) (*Claims, error) {
	return k.VerifyAt(time.Now(), token, kinds...)
}

// VerifyAt is Verify as it would be at another time.
func (k *Keys) VerifyAt(now time.Time, token string, kinds ...Kind) (*Claims, error) {
	if k == nil || len(k.secrets) == 0 && len(k.public) == 0 {
		return nil, ErrNoKeys
	}
	if len(token) > MaxLength {
		return nil, ErrTooLong
	}
	signed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.HS256, jose.RS256, jose.ES256})
	if err != nil {
		return nil, fmt.Errorf("cannot parse token: %w", err)
	}
	c, err := k.signature(signed)
	if err != nil {
		return nil, fmt.Errorf("cannot verify token: %w", err)
	}
	if err := c.ValidateWithLeeway(jwt.Expected{Issuer: k.o.Issuer, Time: now}, k.o.Skew); err != nil {
		return nil, fmt.Errorf("cannot accept token of user %q: %w", c.Username, err)
	}
	if c.Username == "" {
		c.Username = c.Subject
	}
	// A public key cannot vouch for more than id tokens, nor the secret for them.
	if asymmetric := signed.Headers[0].Algorithm != string(jose.HS256); !slices.Contains(kinds, c.Kind) || asymmetric != (c.Kind == ID) {
		return nil, fmt.Errorf("%w: %q", ErrKind, c.Kind)
	}
	if !k.forUs(c.Audience) {
		return nil, fmt.Errorf("%w: %q", ErrAudience, c.Audience)
	}
	return c, nil
}

// signature takes the claims of a token that one of the keys has signed.
func (k *Keys) signature(signed *jwt.JSONWebToken) (*Claims, error) {
	h := signed.Headers[0]
	if h.Algorithm != string(jose.HS256) {
		v, ok := k.public[h.KeyID]
		if !ok || string(v.alg) != h.Algorithm {
			return nil, errKey
		}
		c := new(Claims)
		return c, signed.Claims(v.key, c)
	}
	err := errKey
	for _, secret := range k.secrets {
		c := new(Claims)
		if err = signed.Claims(secret, c); err == nil {
			return c, nil
		}
		if !errors.Is(err, jose.ErrCryptoFailure) {
			break // signed by that key, but not what claims are
		}
	}
	return nil, err
}

// forUs says whether tokens for aud are for the gateway: for nobody in particular, for itself, or for a client of its own.
func (k *Keys) forUs(aud jwt.Audience) bool {
	for _, a := range aud {
		if a == k.o.Issuer || slices.Contains(k.o.Audiences, a) {
			return true
		}
	}
	return len(aud) == 0
}
