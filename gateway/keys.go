package gateway

import (
	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/token"
)

// tokenKeys are the keys that c names; secret is for when it names none.
func tokenKeys(c *config.Config, secret []byte) (*token.Keys, error) {
	a := c.Authentication
	o := token.Options{Secret: secret, Issuer: a.OAuthOptions.Issuer, Skew: a.MaximumClockSkew}
	if a.JWTSecret != "" {
		o.Secret = []byte(a.JWTSecret)
	}
	for _, client := range a.OAuthOptions.Clients {
		o.Audiences = append(o.Audiences, client.Name)
	}
	return token.New(o)
}
