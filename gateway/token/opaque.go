package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"
)

// opaque signs with any crypto.Signer, in memory or elsewhere, for the library.
type opaque struct{ k *Keys }

var _ jose.OpaqueSigner = opaque{}

func (s opaque) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: s.k.o.Signer.Public(), KeyID: s.k.kid, Algorithm: string(s.k.alg), Use: "sig"}
}

func (s opaque) Algs() []jose.SignatureAlgorithm { return []jose.SignatureAlgorithm{s.k.alg} }

// SignPayload signs the SHA-256 of payload. What a signer gives for EC is ASN.1; tokens want two numbers of 32 bytes
// (RFC 7518, section 3.4).
func (s opaque) SignPayload(payload []byte, alg jose.SignatureAlgorithm) ([]byte, error) {
	sum := sha256.Sum256(payload)
	sig, err := s.k.o.Signer.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("cannot sign with the private key: %w", err)
	}
	if _, ec := s.k.o.Signer.Public().(*ecdsa.PublicKey); !ec {
		return sig, nil
	}
	var pair struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(sig, &pair); err != nil {
		return nil, fmt.Errorf("cannot read the signature for %s: %w", alg, err)
	}
	out := make([]byte, 64)
	pair.R.FillBytes(out[:32])
	pair.S.FillBytes(out[32:])
	return out, nil
}
