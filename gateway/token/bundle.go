package token

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Bundle is the keys that all replicas share. A rotation adds new ones, and takes those away of which no token is left.
type Bundle struct {
	Secrets []Aged `json:"secrets"` // random bytes
	Private []Aged `json:"private"` // PKCS#8
}

// Aged is a key and when it was made.
type Aged struct {
	Made time.Time `json:"made"`
	Key  []byte    `json:"key"`
}

// Overlap is how long a new key is verified with before it signs: every replica must have read it by then.
const Overlap = 2 * time.Minute

const (
	secretBytes = 48
	maxKeys     = 16 // of a kind in a bundle
)

// NewBundle makes keys that sign at once.
func NewBundle(now time.Time) (*Bundle, error) { return new(Bundle).Rotate(now, 0) }

// ParseBundle reads what Encode wrote.
func ParseBundle(text []byte) (*Bundle, error) {
	b := new(Bundle)
	if err := json.Unmarshal(text, b); err != nil {
		return nil, fmt.Errorf("cannot read keys: %w", err)
	}
	switch {
	case len(b.Secrets) == 0 || len(b.Private) == 0:
		return nil, errors.New("cannot read keys: there are none")
	case len(b.Secrets) > maxKeys || len(b.Private) > maxKeys:
		return nil, fmt.Errorf("cannot read keys: more than %d of a kind", maxKeys)
	}
	byAge := func(a, b Aged) int { return cmp.Compare(a.Made.UnixNano(), b.Made.UnixNano()) }
	slices.SortStableFunc(b.Secrets, byAge)
	slices.SortStableFunc(b.Private, byAge)
	for _, s := range b.Secrets {
		if len(s.Key) < 32 {
			return nil, fmt.Errorf("cannot read keys: a secret of %d bytes is too short", len(s.Key))
		}
	}
	for _, p := range b.Private {
		if _, err := p.signer(); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Encode is b as JSON.
func (b *Bundle) Encode() ([]byte, error) { return json.Marshal(b) }

// Rotate is b with new keys. Keys that were replaced longer than keep ago are not in it any more: keep is the longest life
// of a token.
func (b *Bundle) Rotate(now time.Time, keep time.Duration) (*Bundle, error) {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	private, err := rsa.GenerateKey(rand.Reader, minRSA)
	if err != nil {
		return nil, fmt.Errorf("cannot make an RSA key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("cannot encode an RSA key: %w", err)
	}
	now = now.UTC().Truncate(time.Second)
	return &Bundle{
		Secrets: append(living(b.Secrets, now, keep), Aged{now, secret}),
		Private: append(living(b.Private, now, keep), Aged{now, der}),
	}, nil
}

// living are the keys, oldest first, of which tokens may be left: a key signs until the next one is Overlap old.
func living(keys []Aged, now time.Time, keep time.Duration) (out []Aged) {
	for i, k := range keys {
		if i+1 == len(keys) || now.Before(keys[i+1].Made.Add(Overlap+keep)) {
			out = append(out, k)
		}
	}
	return out[max(0, len(out)-maxKeys+1):]
}

// Made is when the newest keys were made.
func (b *Bundle) Made() time.Time { return b.Secrets[len(b.Secrets)-1].Made }

// Fill puts the keys of b into o: where o has a secret or a private key of its own, those of b are verified with alone.
func (b *Bundle) Fill(o *Options, now time.Time) error {
	i := inForce(b.Secrets, now)
	for j, s := range b.Secrets {
		if j == i && len(o.Secret) == 0 {
			o.Secret = s.Key
			continue
		}
		o.PreviousSecrets = append(o.PreviousSecrets, s.Key)
	}
	i = inForce(b.Private, now)
	for j, p := range b.Private {
		signer, err := p.signer()
		if err != nil {
			return err
		}
		if j == i && o.Signer == nil {
			o.Signer = signer
			continue
		}
		o.PreviousPublic = append(o.PreviousPublic, signer.Public())
	}
	return nil
}

// inForce is the newest of keys that everybody has read, else the oldest.
func inForce(keys []Aged, now time.Time) int {
	for i := len(keys) - 1; i > 0; i-- {
		if !now.Before(keys[i].Made.Add(Overlap)) {
			return i
		}
	}
	return 0
}

func (a Aged) signer() (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(a.Key)
	if err != nil {
		return nil, fmt.Errorf("cannot read a private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("cannot sign with a key of type %T", key)
	}
	return signer, nil
}
