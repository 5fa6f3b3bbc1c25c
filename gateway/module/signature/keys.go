package signature

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// maxKeys bounds a file of keys, bytes: a key has about 200.
const maxKeys = 64 << 10

// PEM types of the files of keys.
const (
	privateType = "PRIVATE KEY" // PKCS#8
	publicType  = "PUBLIC KEY"  // PKIX
)

// algorithm is how a section is signed.
type algorithm byte

const (
	ed25519Key algorithm = 1
	ecdsaKey   algorithm = 2 // P-256 with SHA-256, in DER
)

// message is what a key of the algorithm signs, and how crypto.Signer takes it.
func (a algorithm) message(body []byte) ([]byte, crypto.SignerOpts) {
	sum := sha256.Sum256(body)
	said := append([]byte(statement), sum[:]...)
	if a == ed25519Key {
		return said, crypto.Hash(0)
	}
	sum = sha256.Sum256(said)
	return sum[:], crypto.SHA256
}

// keyID is the sha256 of a public key in PKIX form.
type keyID [sha256.Size]byte

// publicKey is a key that signatures are checked with.
type publicKey struct {
	id        keyID
	algorithm algorithm
	key       crypto.PublicKey
}

func newPublicKey(key crypto.PublicKey) (publicKey, error) {
	p := publicKey{key: key}
	switch k := key.(type) {
	case ed25519.PublicKey:
		p.algorithm = ed25519Key
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return p, fmt.Errorf("the key's curve is %s: want P-256", k.Curve.Params().Name)
		}
		p.algorithm = ecdsaKey
	default:
		return p, fmt.Errorf("the key is %T: want ed25519, or ECDSA on P-256", key)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	p.id = sha256.Sum256(der)
	return p, err
}

// holds says whether a section is the key's signature of body.
func (p publicKey) holds(s section, body []byte) bool {
	if s.algorithm != p.algorithm {
		return false
	}
	message, _ := p.algorithm.message(body)
	switch key := p.key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, s.signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, message, s.signature)
	}
	return false
}

// Signer is somebody whose signature counts: that of any of their keys, so that a new key can stand beside the old one.
type Signer struct {
	Name string
	keys []publicKey
}

// key is the signer's key of an id.
func (s Signer) key(id keyID) (publicKey, bool) {
	for _, k := range s.keys {
		if k.id == id {
			return k, true
		}
	}
	return publicKey{}, false
}

// KeyIDs are the ids of the signer's keys, in hex.
func (s Signer) KeyIDs() []string {
	var ids []string
	for _, k := range s.keys {
		ids = append(ids, k.id.String())
	}
	return ids
}

// ReadSigner reads a file of public keys: PEM blocks "PUBLIC KEY". The signer's name is the file's, without its extension.
func ReadSigner(path string) (Signer, error) {
	text, err := readKeys(path)
	if err != nil {
		return Signer{}, err
	}
	name := filepath.Base(path)
	s, err := ParseSigner(strings.TrimSuffix(name, filepath.Ext(name)), text)
	if err != nil {
		return Signer{}, fmt.Errorf("cannot use %q as public keys: %w", path, err)
	}
	return s, nil
}

// ReadSigners reads several files; two signers of one name are an error, for nobody could tell which of them has signed.
func ReadSigners(paths []string) ([]Signer, error) {
	var all []Signer
	from := map[string]string{}
	for _, path := range paths {
		s, err := ReadSigner(path)
		if err != nil {
			return nil, err
		}
		if other, taken := from[s.Name]; taken {
			return nil, fmt.Errorf("%q and %q are both called %q: give one another name", other, path, s.Name)
		}
		from[s.Name] = path
		all = append(all, s)
	}
	return all, nil
}

// ParseSigner reads public keys.
func ParseSigner(name string, text []byte) (Signer, error) {
	s := Signer{Name: name}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != publicType {
			return s, fmt.Errorf("has a PEM block %q: want %q", block.Type, publicType)
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return s, err
		}
		public, err := newPublicKey(key)
		if err != nil {
			return s, err
		}
		s.keys = append(s.keys, public)
	}
	if len(s.keys) == 0 {
		return s, fmt.Errorf("has no PEM block %q", publicType)
	}
	return s, nil
}

// ReadPrivate reads a private key: PKCS#8 in PEM, not encrypted.
func ReadPrivate(path string) (crypto.Signer, error) {
	text, err := readKeys(path)
	if err != nil {
		return nil, err
	}
	key, err := parsePrivate(text)
	if err != nil {
		return nil, fmt.Errorf("cannot use %q as a private key: %w", path, err)
	}
	return key, nil
}

func parsePrivate(text []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("has no PEM block %q", privateType)
	}
	if block.Type != privateType {
		return nil, fmt.Errorf("has a PEM block %q, want %q: `openssl pkcs8 -topk8 -nocrypt` makes one of others", block.Type, privateType)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("cannot sign with a key of this kind")
	}
	_, err = newPublicKey(signer.Public())
	return signer, err
}

// Generate makes an ed25519 key: PKCS#8 and PKIX in PEM, and the id of the public key in hex.
func Generate() (private, public []byte, id string, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, "", err
	}
	hidden, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, "", err
	}
	shown, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, nil, "", err
	}
	private = pem.EncodeToMemory(&pem.Block{Type: privateType, Bytes: hidden})
	public = pem.EncodeToMemory(&pem.Block{Type: publicType, Bytes: shown})
	return private, public, keyID(sha256.Sum256(shown)).String(), nil
}

// readKeys reads a file of bounded size.
func readKeys(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read keys: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxKeys+1))
	if err == nil && len(text) > maxKeys {
		err = fmt.Errorf("%q has more than %d bytes", path, maxKeys)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read keys: %w", err)
	}
	return text, nil
}
