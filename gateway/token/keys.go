// Package token signs and verifies the gateway's own tokens: JWTs signed with a secret (HS256), and id tokens signed with a
// private key whose public part everybody may read (JWKS).
package token

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// ErrNoKeys says that there are no keys yet: whoever wants to log in has to come again.
var ErrNoKeys = errors.New("there are no keys for tokens yet")

// minRSA is the shortest RSA key that RS256 allows, in bits (RFC 7518, section 3.3).
const minRSA = 2048

// Options of Keys.
type Options struct {
	Secret          []byte        // signs all but id tokens, HS256; empty: none are good
	PreviousSecrets [][]byte      // of tokens that are still good
	Signer          crypto.Signer // signs id tokens: RSA of 2,048 bits or more (RS256), or EC P-256 (ES256); nil: none are
	PreviousPublic  []crypto.PublicKey
	Issuer          string        // iss of all tokens; empty: any is taken
	Audiences       []string      // whom tokens may be for besides the issuer: the clients. A token without aud is for the issuer
	Skew            time.Duration // how far the clocks of issuer and verifier may differ
}

// Keys sign and verify. They are immutable. A nil one has no keys.
type Keys struct {
	o       Options
	secrets [][]byte
	public  map[string]verifier // by kid
	kid     string
	alg     jose.SignatureAlgorithm
	jwks    []byte
	print   [sha256.Size]byte
}

type verifier struct {
	key crypto.PublicKey
	alg jose.SignatureAlgorithm
}

// New makes keys.
func New(o Options) (*Keys, error) {
	k := &Keys{o: o, public: map[string]verifier{}}
	for _, s := range append([][]byte{o.Secret}, o.PreviousSecrets...) {
		if len(s) > 0 {
			k.secrets = append(k.secrets, padded(s))
		}
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	add := func(public crypto.PublicKey) error {
		jwk, err := publicJWK(public)
		if err == nil && k.public[jwk.KeyID].key == nil {
			k.public[jwk.KeyID] = verifier{public, jose.SignatureAlgorithm(jwk.Algorithm)}
			set.Keys = append(set.Keys, *jwk)
		}
		return err
	}
	if o.Signer != nil {
		if err := add(o.Signer.Public()); err != nil {
			return nil, err
		}
		k.kid, k.alg = set.Keys[0].KeyID, jose.SignatureAlgorithm(set.Keys[0].Algorithm)
	}
	for _, public := range o.PreviousPublic {
		if err := add(public); err != nil {
			return nil, err
		}
	}
	var err error
	if k.jwks, err = json.Marshal(set); err != nil {
		return nil, fmt.Errorf("cannot encode public keys: %w", err)
	}
	k.print, err = fingerprint(k)
	return k, err
}

// publicJWK is a public key as others read it; its kid is its thumbprint (RFC 7638), which every replica finds alike.
func publicJWK(public crypto.PublicKey) (*jose.JSONWebKey, error) {
	jwk := &jose.JSONWebKey{Key: public, Use: "sig"}
	switch p := public.(type) {
	case *rsa.PublicKey:
		if p.N.BitLen() < minRSA {
			return nil, fmt.Errorf("cannot sign with an RSA key of %d bits: want %d or more", p.N.BitLen(), minRSA)
		}
		jwk.Algorithm = string(jose.RS256)
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() {
			return nil, fmt.Errorf("cannot sign with an EC key on curve %s: want P-256", p.Curve.Params().Name)
		}
		jwk.Algorithm = string(jose.ES256)
	default:
		return nil, fmt.Errorf("cannot sign with a key of type %T: want RSA or EC P-256", public)
	}
	print, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("cannot name a public key: %w", err)
	}
	jwk.KeyID = base64.RawURLEncoding.EncodeToString(print)
	return jwk, nil
}

// fingerprint stands for everything that decides which tokens are good.
func fingerprint(k *Keys) (sum [sha256.Size]byte, err error) {
	text, err := json.Marshal(map[string]any{
		"secrets": k.secrets, "jwks": k.jwks, "kid": k.kid, "issuer": k.o.Issuer, "audiences": k.o.Audiences, "skew": k.o.Skew,
	})
	if err != nil {
		return sum, fmt.Errorf("cannot compare keys: %w", err)
	}
	return sha256.Sum256(text), nil
}

// Same says whether k and other sign alike and find the same tokens good.
func (k *Keys) Same(other *Keys) bool {
	if k == nil || other == nil {
		return k == other
	}
	return k.print == other.print
}

// padded makes a short secret as long as the library wants HS256 keys to be. HMAC itself pads keys with zeros up to 64
// bytes (RFC 2104), so the signatures are the same.
func padded(secret []byte) []byte {
	return append(bytes.Clone(secret), make([]byte, max(0, sha256.Size-len(secret)))...)
}

// JWKS is the public keys that verify id tokens, JSON as in RFC 7517. It must not be changed.
func (k *Keys) JWKS() []byte {
	if k == nil {
		return []byte(`{"keys":[]}`)
	}
	return k.jwks
}

// IDAlgorithm is how id tokens are signed: RS256, ES256, or empty while nothing can sign them.
func (k *Keys) IDAlgorithm() string {
	if k == nil {
		return ""
	}
	return string(k.alg)
}

// Issuer is the iss of the tokens.
func (k *Keys) Issuer() string {
	if k == nil {
		return ""
	}
	return k.o.Issuer
}

// Skew is how long a token is still good after its exp.
func (k *Keys) Skew() time.Duration {
	if k == nil {
		return 0
	}
	return k.o.Skew
}
