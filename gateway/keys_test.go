package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/token"
)

// signKeyFile is a new EC key as PEM, and a file with it.
func signKeyFile(t *testing.T) (file string, text []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	file = filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, text
}

func configured(t *testing.T, change func(*config.Config)) *token.Keys {
	t.Helper()
	c := config.Default()
	c.Authentication.JWTSecret = "a secret of more than thirty-two bytes"
	change(c)
	s, err := TokenKeys(c)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.New(s.Token)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// A key that is exchanged in the configuration overlaps like one of the Secret.
func TestConfiguredKeysAreExchanged(t *testing.T) {
	file, text := signKeyFile(t)
	next, _ := signKeyFile(t)
	before := configured(t, func(c *config.Config) { c.Authentication.OAuthOptions.SignKey = file })
	data := configured(t, func(c *config.Config) {
		c.Authentication.OAuthOptions.SignKeyData = base64.StdEncoding.EncodeToString(text)
	})
	if !before.Same(data) {
		t.Error("signKey and signKeyData of one key differ")
	}
	after := configured(t, func(c *config.Config) {
		c.Postern.Authentication.Keys.PreviousSecret = c.Authentication.JWTSecret
		c.Authentication.JWTSecret = "another secret of more than thirty-two bytes"
		c.Authentication.OAuthOptions.SignKey, c.Postern.Authentication.Keys.PreviousSignKeyFile = next, file
	})
	for _, kind := range []token.Kind{token.Access, token.ID} {
		text, err := before.Sign(&token.Claims{Kind: kind, Username: "alice"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := after.Verify(text, kind); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if text, err = after.Sign(&token.Claims{Kind: kind, Username: "alice"}); err != nil {
			t.Fatal(err)
		}
		if _, err := before.Verify(text, kind); err == nil {
			t.Errorf("%s: the old key still signs", kind)
		}
	}
}

func TestKeysThatCannotBeUsed(t *testing.T) {
	for key, change := range map[string]func(*config.Config){
		"signKey":             func(c *config.Config) { c.Authentication.OAuthOptions.SignKey = "/none" },
		"signKeyData":         func(c *config.Config) { c.Authentication.OAuthOptions.SignKeyData = "no base64" },
		"previousSignKeyFile": func(c *config.Config) { c.Postern.Authentication.Keys.PreviousSignKeyFile = "/none" },
	} {
		c := config.Default()
		change(c)
		if _, err := TokenKeys(c); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestKeysOutliveTheLastToken(t *testing.T) {
	for want, change := range map[time.Duration]func(*config.Config){
		4*time.Hour + 10*time.Second: func(*config.Config) {},
		26*time.Hour + 10*time.Second: func(c *config.Config) {
			day := 24 * time.Hour
			c.Authentication.OAuthOptions.Clients = []config.OAuthClient{{Name: "x", AccessTokenMaxAge: &day}, {Name: "y"}}
		},
		forEver: func(c *config.Config) { c.Authentication.OAuthOptions.AccessTokenMaxAge = 0 },
	} {
		c := config.Default()
		change(c)
		s, err := TokenKeys(c)
		if err != nil || s.Keep != want {
			t.Errorf("%v, %v, want %v", s.Keep, err, want)
		}
	}
}
