package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posternhq/postern/gateway/token"
)

var secret = []byte("a secret of more than 32 bytes, for tests")

// made fails the test instead of returning an error.
func made[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func keys(t testing.TB, o token.Options) *token.Keys {
	t.Helper()
	return made[*token.Keys](t)(token.New(o))
}

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	return made[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
}

func ecKey(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	return made[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(curve, rand.Reader))
}

// claims are good ones.
func claims(kind token.Kind) *token.Claims {
	c := &token.Claims{Kind: kind, Username: "alice", Session: "s-1"}
	c.Subject, c.Expiry = "alice", jwt.NewNumericDate(time.Now().Add(time.Hour))
	return c
}

func TestEachKindIsGoodForItselfAlone(t *testing.T) {
	for name, signer := range map[string]crypto.Signer{"RS256": rsaKey(t), "ES256": ecKey(t, elliptic.P256())} {
		k := keys(t, token.Options{Secret: secret, Signer: signer, Issuer: "kubesphere", Audiences: []string{"console"}})
		all := []token.Kind{token.Access, token.Refresh, token.Static, token.Code, token.ID}
		for _, kind := range all {
			c := claims(kind)
			c.Audience = jwt.Audience{"console"}
			text := made[string](t)(k.Sign(c))
			got, err := k.Verify(text, kind)
			if err != nil || got.Username != "alice" || got.Session != "s-1" || got.Issuer != "kubesphere" || got.Claims.ID == "" || got.IssuedAt == nil {
				t.Errorf("%s %s: %+v, %v", name, kind, got, err)
			}
			for _, other := range all {
				if _, err := k.Verify(text, other); other != kind && !errors.Is(err, token.ErrKind) {
					t.Errorf("%s %s as %s: %v", name, kind, other, err)
				}
			}
			header := made[[]byte](t)(base64.RawURLEncoding.DecodeString(text[:strings.Index(text, ".")]))
			if asymmetric := strings.Contains(string(header), name) && strings.Contains(string(header), `"kid"`); asymmetric != (kind == token.ID) {
				t.Errorf("%s %s: %s", name, kind, header)
			}
		}
		if k.IDAlgorithm() != name {
			t.Errorf("%q, want %s", k.IDAlgorithm(), name)
		}
	}
}

// Others verify id tokens with what JWKS says and nothing else.
func TestJWKSVerifiesIDTokens(t *testing.T) {
	for _, signer := range []crypto.Signer{rsaKey(t), ecKey(t, elliptic.P256())} {
		k := keys(t, token.Options{Secret: secret, Signer: signer, Issuer: "kubesphere"})
		text := made[string](t)(k.Sign(claims(token.ID)))
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(k.JWKS(), &set); err != nil || len(set.Keys) != 1 || !set.Keys[0].IsPublic() || strings.Contains(string(k.JWKS()), `"d"`) {
			t.Fatalf("%s: %v", k.JWKS(), err)
		}
		signed := made[*jwt.JSONWebToken](t)(jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.IDAlgorithm())}))
		var c jwt.Claims
		if err := signed.Claims(set.Key(signed.Headers[0].KeyID)[0].Key, &c); err != nil || c.Subject != "alice" {
			t.Errorf("%+v, %v", c, err)
		}
	}
}

func TestNoKeyIsTakenForAnother(t *testing.T) {
	private := rsaKey(t)
	k := keys(t, token.Options{Secret: secret, Signer: private, Issuer: "kubesphere"})
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(k.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	kid := set.Keys[0].KeyID
	modulus := private.N.Bytes()
	for _, c := range []struct {
		name string
		key  jose.SigningKey
		kind token.Kind
	}{
		{"the public key as a secret", jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: modulus, KeyID: kid}}, token.ID},
		{"an access token of the private key", jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: kid}}, token.Access},
		{"an id token of the secret", jose.SigningKey{Algorithm: jose.HS256, Key: secret}, token.ID},
		{"another private key", jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: rsaKey(t), KeyID: kid}}, token.ID},
		{"an unknown kid", jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: private, KeyID: "x"}}, token.ID},
		{"another algorithm", jose.SigningKey{Algorithm: jose.PS256, Key: jose.JSONWebKey{Key: private, KeyID: kid}}, token.ID},
		{"another secret", jose.SigningKey{Algorithm: jose.HS256, Key: []byte(strings.Repeat("x", 32))}, token.Access},
	} {
		signer := made[jose.Signer](t)(jose.NewSigner(c.key, nil))
		body := claims(c.kind)
		body.Issuer = "kubesphere"
		text := made[string](t)(jwt.Signed(signer).Claims(body).Serialize())
		if got, err := k.Verify(text, c.kind); err == nil {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestClaimsAreChecked(t *testing.T) {
	k := keys(t, token.Options{Secret: secret, Issuer: "kubesphere", Audiences: []string{"console"}, Skew: 10 * time.Second})
	at := func(d time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(time.Now().Add(d)) }
	for _, c := range []struct {
		name   string
		change func(*token.Claims)
		reason string
	}{
		{"as they are", func(*token.Claims) {}, ""},
		{"for the issuer", func(c *token.Claims) { c.Audience = jwt.Audience{"kubesphere"} }, ""},
		{"for a client", func(c *token.Claims) { c.Audience = jwt.Audience{"other", "console"} }, ""},
		{"for somebody else", func(c *token.Claims) { c.Audience = jwt.Audience{"other"} }, "somebody else"},
		{"expired within the skew", func(c *token.Claims) { c.Expiry = at(-5 * time.Second) }, ""},
		{"expired", func(c *token.Claims) { c.Expiry = at(-time.Minute) }, "expired"},
		{"not yet", func(c *token.Claims) { c.NotBefore = at(time.Minute) }, "not valid yet"},
		{"issued in the future", func(c *token.Claims) { c.IssuedAt = at(time.Minute) }, "issued in the future"},
		{"another issuer", func(c *token.Claims) { c.Issuer = "x" }, "invalid issuer"},
		{"subject alone", func(c *token.Claims) { c.Username = "" }, ""},
	} {
		body := claims(token.Access)
		c.change(body)
		got, err := k.Verify(made[string](t)(k.Sign(body)), token.Access)
		switch {
		case c.reason == "" && (err != nil || got.Username != "alice"):
			t.Errorf("%s: %+v, %v", c.name, got, err)
		case c.reason != "" && (err == nil || !strings.Contains(err.Error(), c.reason)):
			t.Errorf("%s: %v, want %s", c.name, err, c.reason)
		}
	}
	if _, err := k.Verify(strings.Repeat("x", token.MaxLength+1), token.Access); !errors.Is(err, token.ErrTooLong) {
		t.Error(err)
	}
}

func TestRotationOverlaps(t *testing.T) {
	first, second := rsaKey(t), ecKey(t, elliptic.P256())
	next := []byte(strings.Repeat("n", 40))
	before := keys(t, token.Options{Secret: secret, Signer: first})
	during := keys(t, token.Options{Secret: next, Signer: second, PreviousSecrets: [][]byte{secret}, PreviousPublic: []crypto.PublicKey{first.Public()}})
	after := keys(t, token.Options{Secret: next, Signer: second})
	for _, kind := range []token.Kind{token.Access, token.ID} {
		old, fresh := made[string](t)(before.Sign(claims(kind))), made[string](t)(during.Sign(claims(kind)))
		for _, c := range []struct {
			name string
			keys *token.Keys
			text string
			good bool
		}{{"old during", during, old, true}, {"new during", during, fresh, true}, {"old after", after, old, false}, {"new after", after, fresh, true}, {"new before", before, fresh, false}} {
			if _, err := c.keys.Verify(c.text, kind); (err == nil) != c.good {
				t.Errorf("%s, %s: %v", kind, c.name, err)
			}
		}
	}
	if before.Same(during) || during.Same(after) || !before.Same(keys(t, token.Options{Secret: secret, Signer: first})) {
		t.Error("Same does not tell them apart")
	}
}

func TestKeysThatAreNone(t *testing.T) {
	short := made[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 1024))
	for _, signer := range []crypto.Signer{short, ecKey(t, elliptic.P384())} {
		if _, err := token.New(token.Options{Secret: secret, Signer: signer}); err == nil {
			t.Errorf("%T is taken", signer)
		}
	}
	var ring token.Ring
	for _, k := range []*token.Keys{ring.Keys(), keys(t, token.Options{})} {
		if _, err := k.Sign(claims(token.Access)); !errors.Is(err, token.ErrNoKeys) {
			t.Error(err)
		}
		if _, err := k.Verify("a.b.c", token.Access); !errors.Is(err, token.ErrNoKeys) {
			t.Error(err)
		}
		if string(k.JWKS()) != `{"keys":[]}` || k.IDAlgorithm() != "" {
			t.Errorf("%s %q", k.JWKS(), k.IDAlgorithm())
		}
	}
	// What a zero-padded key must not mean: no secret at all is no key of zeros.
	zeros := made[string](t)(keys(t, token.Options{Secret: make([]byte, 32)}).Sign(claims(token.Access)))
	if _, err := keys(t, token.Options{Signer: rsaKey(t)}).Verify(zeros, token.Access); err == nil {
		t.Error("a key of zeros is taken")
	}
	only := keys(t, token.Options{Secret: secret})
	if _, err := only.Sign(claims(token.ID)); !errors.Is(err, token.ErrNoKeys) {
		t.Error(err)
	}
}

func TestRingKeepsWhatIsTheSame(t *testing.T) {
	var ring token.Ring
	first := keys(t, token.Options{Secret: secret})
	ring.Set(first)
	ring.Set(keys(t, token.Options{Secret: secret}))
	if ring.Keys() != first {
		t.Error("the same keys have replaced themselves")
	}
	ring.Set(keys(t, token.Options{Secret: secret, Issuer: "x"}))
	if ring.Keys() == first {
		t.Error("other keys have not come into force")
	}
}

// Whatever the text, it is refused or says what was signed.
func FuzzVerify(f *testing.F) {
	k := keys(f, token.Options{Secret: secret, Signer: ecKey(f, elliptic.P256()), Issuer: "kubesphere"})
	for _, kind := range []token.Kind{token.Access, token.ID} {
		text := made[string](f)(k.Sign(claims(kind)))
		f.Add(text)
		f.Add(text[:len(text)-3])
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := k.Verify(text, token.Access, token.ID); err == nil && c.Username != "alice" {
			t.Errorf("%q: %+v", text, c)
		}
	})
}
