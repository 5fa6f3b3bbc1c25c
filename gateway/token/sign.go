package token

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Sign makes a token of c. Where c has no iss, iat or jti, they are filled in: the issuer, now, and a random id. The error
// is ErrNoKeys if there is no key for the kind.
func (k *Keys) Sign(c *Claims) (string, error) {
	key, options, err := k.signingKey(c.Kind)
	if err != nil {
		return "", err
	}
	if c.Issuer == "" {
		c.Issuer = k.o.Issuer
	}
	if c.IssuedAt == nil {
		c.IssuedAt = jwt.NewNumericDate(time.Now())
	}
	if c.Claims.ID == "" {
		c.Claims.ID = rand.Text()
	}
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		return "", fmt.Errorf("cannot make a signer: %w", err)
	}
	text, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		return "", fmt.Errorf("cannot sign token of user %q: %w", c.Username, err)
	}
	return text, nil
}

func (k *Keys) signingKey(kind Kind) (jose.SigningKey, *jose.SignerOptions, error) {
	options := (&jose.SignerOptions{}).WithType("JWT")
	switch {
	case k == nil:
	case kind == ID && k.o.Signer != nil:
		return jose.SigningKey{Algorithm: k.alg, Key: opaque{k}}, options, nil
	case kind != ID && len(k.o.Secret) > 0:
		return jose.SigningKey{Algorithm: jose.HS256, Key: k.secrets[0]}, options, nil
	}
	return jose.SigningKey{}, nil, ErrNoKeys
}
