package token_test

import (
	"crypto/elliptic"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/token"
)

// filled are the keys that a replica makes of a bundle at some time.
func filled(t *testing.T, b *token.Bundle, now time.Time) *token.Keys {
	t.Helper()
	o := token.Options{Issuer: "kubesphere"}
	if err := b.Fill(&o, now); err != nil {
		t.Fatal(err)
	}
	return keys(t, o)
}

// At no time may one replica sign with a key that another one has not read.
func TestRotationOfABundle(t *testing.T) {
	start := time.Now()
	first := made[*token.Bundle](t)(token.NewBundle(start))
	rotated := made[*token.Bundle](t)(first.Rotate(start.Add(time.Hour), 4*time.Hour))
	again := made[*token.Bundle](t)(rotated.Rotate(start.Add(2*time.Hour), 4*time.Hour))
	later := made[*token.Bundle](t)(again.Rotate(start.Add(7*time.Hour), 4*time.Hour))
	if n := []int{len(first.Secrets), len(rotated.Secrets), len(again.Secrets), len(later.Secrets), len(later.Private)}; fmt.Sprint(n) != "[1 2 3 2 2]" {
		t.Errorf("keys after each step: %v", n)
	}
	for _, kind := range []token.Kind{token.Access, token.ID} {
		before, fresh := filled(t, first, start), filled(t, rotated, start.Add(time.Hour+time.Minute))
		for _, text := range []string{made[string](t)(before.Sign(claims(kind))), made[string](t)(fresh.Sign(claims(kind)))} {
			for name, k := range map[string]*token.Keys{"who has not read it": before, "who has": fresh, "after the overlap": filled(t, rotated, start.Add(2*time.Hour))} {
				if _, err := k.Verify(text, kind); err != nil {
					t.Errorf("%s, %s: %v", kind, name, err)
				}
			}
		}
		after := made[string](t)(filled(t, rotated, start.Add(2*time.Hour)).Sign(claims(kind)))
		if _, err := before.Verify(after, kind); err == nil {
			t.Errorf("%s: the new key never signs", kind)
		}
		if _, err := fresh.Verify(after, kind); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestABundleIsStored(t *testing.T) {
	b := made[*token.Bundle](t)(token.NewBundle(time.Now()))
	text := made[[]byte](t)(b.Encode())
	back := made[*token.Bundle](t)(token.ParseBundle(text))
	if !filled(t, b, time.Now()).Same(filled(t, back, time.Now())) || !back.Made().Equal(b.Made()) {
		t.Errorf("%+v came back as %+v", b, back)
	}
	for _, bad := range []string{"", "{}", `{"secrets":[{"key":"YWJj"}],"private":[{"key":"YWJj"}]}`} {
		if _, err := token.ParseBundle([]byte(bad)); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What is configured signs; what is stored goes on being verified, so that one may change from one to the other.
func TestConfiguredKeysComeFirst(t *testing.T) {
	b := made[*token.Bundle](t)(token.NewBundle(time.Now()))
	o := token.Options{Secret: secret, Signer: ecKey(t, elliptic.P256())}
	if err := b.Fill(&o, time.Now()); err != nil {
		t.Fatal(err)
	}
	both, configured := keys(t, o), keys(t, token.Options{Secret: secret})
	if _, err := configured.Verify(made[string](t)(both.Sign(claims(token.Access))), token.Access); err != nil || both.IDAlgorithm() != "ES256" {
		t.Errorf("%v, %s", err, both.IDAlgorithm())
	}
	o = token.Options{}
	if err := b.Fill(&o, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := both.Verify(made[string](t)(keys(t, o).Sign(claims(token.Access))), token.Access); err != nil {
		t.Error(err)
	}
}

func TestPEM(t *testing.T) {
	r, e := rsaKey(t), ecKey(t, elliptic.P256())
	pkcs8 := made[[]byte](t)(x509.MarshalPKCS8PrivateKey(r))
	sec1 := made[[]byte](t)(x509.MarshalECPrivateKey(e))
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	for name, text := range map[string][]byte{
		"PKCS#1": block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r)), "PKCS#8": block("PRIVATE KEY", pkcs8),
		"SEC 1": append(block("EC PARAMETERS", []byte{6}), block("EC PRIVATE KEY", sec1)...),
	} {
		private, err := token.ParsePrivate(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		public, err := token.ParsePublic(text)
		if err != nil || !keys(t, token.Options{Signer: private}).Same(keys(t, token.Options{Signer: private})) {
			t.Errorf("%s: %T, %v", name, public, err)
		}
	}
	pkix := block("PUBLIC KEY", made[[]byte](t)(x509.MarshalPKIXPublicKey(r.Public())))
	if public, err := token.ParsePublic(pkix); err != nil || !r.PublicKey.Equal(public) {
		t.Errorf("%T, %v", public, err)
	}
	for _, bad := range [][]byte{nil, []byte("x"), pkix, block("PRIVATE KEY", []byte("x"))} {
		if key, err := token.ParsePrivate(bad); err == nil {
			t.Errorf("%q is %T", bad, key)
		}
	}
}
