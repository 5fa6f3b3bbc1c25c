package gateway

import (
	"context"
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/kube"
	"github.com/posternhq/postern/gateway/token"
	"github.com/posternhq/postern/gateway/token/shared"
)

// maxKeyFile bounds a PEM file of one key, in bytes.
const maxKeyFile = 64 << 10

// TokenKeys are what c says of the keys of tokens. Files are read with the configuration.
func TokenKeys(c *config.Config) (s shared.Settings, err error) {
	a, own := c.Authentication, c.Postern.Authentication.Keys
	s.Token = token.Options{Secret: []byte(a.JWTSecret), Issuer: a.OAuthOptions.Issuer, Skew: a.MaximumClockSkew}
	for _, client := range oauthClients(c) {
		s.Token.Audiences = append(s.Token.Audiences, client.Name)
	}
	if own.PreviousSecret != "" {
		s.Token.PreviousSecrets = [][]byte{[]byte(own.PreviousSecret)}
	}
	if s.Token.Signer, err = signKey(a.OAuthOptions); err != nil {
		return s, err
	}
	if own.PreviousSignKeyFile != "" {
		public, err := fromPEM(own.PreviousSignKeyFile, token.ParsePublic)
		if err != nil {
			return s, fmt.Errorf("cannot use postern.authentication.keys.previousSignKeyFile: %w", err)
		}
		s.Token.PreviousPublic = []crypto.PublicKey{public}
	}
	s.RotateEvery = own.RotateEvery
	s.Keep = longestLife(a)
	return s, shared.Check(s)
}

// forEver is the life of tokens without end: the last key of before is kept until others push it out.
const forEver = 100 * 365 * 24 * time.Hour

// longestLife is how long a token may be good after it was signed: a refresh token of the most generous client.
func longestLife(a config.Authentication) time.Duration {
	o := a.OAuthOptions
	lives := [][2]time.Duration{{o.AccessTokenMaxAge, o.AccessTokenInactivityTimeout}}
	for _, client := range o.Clients {
		life := lives[0]
		if client.AccessTokenMaxAge != nil {
			life[0] = *client.AccessTokenMaxAge
		}
		if client.AccessTokenInactivityTimeout != nil {
			life[1] = *client.AccessTokenInactivityTimeout
		}
		lives = append(lives, life)
	}
	var longest time.Duration
	for _, life := range lives {
		if life[0] == 0 {
			return forEver
		}
		longest = max(longest, life[0]+life[1])
	}
	return longest + a.MaximumClockSkew
}

// signKey is the private key that is configured; nil: none is.
func signKey(o config.OAuthOptions) (crypto.Signer, error) {
	if o.SignKeyData != "" {
		text, err := base64.StdEncoding.DecodeString(o.SignKeyData)
		if err != nil {
			return nil, fmt.Errorf("cannot use authentication.oauthOptions.signKeyData: %w", err)
		}
		key, err := token.ParsePrivate(text)
		if err != nil {
			return nil, fmt.Errorf("cannot use authentication.oauthOptions.signKeyData: %w", err)
		}
		return key, nil
	}
	if o.SignKey == "" {
		return nil, nil //nolint:nilnil // see above
	}
	key, err := fromPEM(o.SignKey, token.ParsePrivate)
	if err != nil {
		return nil, fmt.Errorf("cannot use authentication.oauthOptions.signKey: %w", err)
	}
	return key, nil
}

func fromPEM[T any](file string, parse func([]byte) (T, error)) (key T, err error) {
	f, err := os.Open(file)
	if err != nil {
		return key, err
	}
	defer f.Close() //nolint:errcheck // only read
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return key, err
	}
	if key, err = parse(text); err != nil {
		return key, fmt.Errorf("file %q: %w", file, err)
	}
	return key, nil
}

// ErrNoKeys says that the configuration names no secret, and the cluster has none yet.
var ErrNoKeys = errors.New("authentication.jwtSecret is not set, and no gateway has made keys in the cluster yet")

// ReadKeys are the keys that gateways of configuration c sign with. The cluster is asked when c names none.
func ReadKeys(ctx context.Context, c *config.Config) (*token.Keys, error) {
	s, err := TokenKeys(c)
	if err != nil {
		return nil, err
	}
	if len(s.Token.Secret) > 0 {
		return token.New(s.Token)
	}
	d, err := direct(c)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	b, err := shared.Read(ctx, d, c.Postern.Namespace)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, ErrNoKeys
	}
	if err := b.Fill(&s.Token, time.Now()); err != nil {
		return nil, err
	}
	return token.New(s.Token)
}

// RotateKeys has new keys made in the cluster. Gateways sign with them when all have read them, and take what was signed
// before until it has ended.
func RotateKeys(ctx context.Context, c *config.Config) (*token.Bundle, error) {
	s, err := TokenKeys(c)
	if err != nil {
		return nil, err
	}
	d, err := direct(c)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return shared.Rotate(ctx, d, c.Postern.Namespace, s.Keep)
}

func direct(c *config.Config) (*kube.Direct, error) {
	cluster, err := restConfig(c)
	if err != nil {
		return nil, err
	}
	return kube.NewDirect(cluster)
}
