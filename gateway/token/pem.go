package token

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

var errNoPEM = errors.New("no PEM block of a key")

// ParsePrivate reads a private key: PEM of PKCS#1, PKCS#8 or SEC 1.
func ParsePrivate(text []byte) (crypto.Signer, error) {
	block, err := keyBlock(text)
	if err != nil {
		return nil, err
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		return Aged{Key: block.Bytes}.signer()
	}
	return nil, fmt.Errorf("cannot sign with a PEM block %q", block.Type)
}

// ParsePublic reads the public key of a private one, of a certificate, or alone.
func ParsePublic(text []byte) (crypto.PublicKey, error) {
	block, err := keyBlock(text)
	if err != nil {
		return nil, err
	}
	switch block.Type {
	case "PUBLIC KEY":
		return x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		return x509.ParsePKCS1PublicKey(block.Bytes)
	case "CERTIFICATE":
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("cannot read a certificate: %w", err)
		}
		return c.PublicKey, nil
	}
	signer, err := ParsePrivate(text)
	if err != nil {
		return nil, err
	}
	return signer.Public(), nil
}

// keyBlock is the first block that may be a key: OpenSSL writes the curve in front of an EC key.
func keyBlock(text []byte) (*pem.Block, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errNoPEM
		}
		if block.Type != "EC PARAMETERS" {
			return block, nil
		}
		text = rest
	}
}
