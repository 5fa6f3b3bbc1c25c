package authn

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Token is what IssueToken signs.
type Token struct {
	Type     string // AccessToken or StaticToken; empty: AccessToken
	Username string
	Issuer   string
	Issued   time.Time     // zero: now
	Life     time.Duration // 0: for ever
	Extra    map[string][]string
}

// IssueToken makes a token that a gateway with the same secret accepts. It does not ask whether the user exists.
func IssueToken(secret []byte, t Token) (string, error) {
	if len(secret) == 0 {
		return "", errors.New("cannot sign a token without a secret (authentication.jwtSecret)")
	}
	if t.Type == "" {
		t.Type = AccessToken
	}
	if t.Issued.IsZero() {
		t.Issued = time.Now()
	}
	c := claims{TokenType: t.Type, Username: t.Username, Extra: t.Extra}
	c.Issuer, c.Subject, c.IssuedAt = t.Issuer, t.Username, jwt.NewNumericDate(t.Issued)
	if t.Life != 0 {
		c.Expiry = jwt.NewNumericDate(t.Issued.Add(t.Life))
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: padded(secret)}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("cannot make a signer: %w", err)
	}
	text, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		return "", fmt.Errorf("cannot sign token of user %q: %w", t.Username, err)
	}
	return text, nil
}
