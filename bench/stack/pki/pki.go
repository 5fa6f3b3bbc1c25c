// Package pki makes the certificates and keys of the development stack, once, in one folder.
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 365 * 24 * time.Hour
	renewBefore   = 30 * 24 * time.Hour // a folder whose leaves end sooner is made again
)

// Masters is the group that kube-apiserver lets do anything, without RBAC.
const Masters = "system:masters"

// Identity is a client certificate: NAME.crt and NAME.key.
type Identity struct {
	Name  string
	User  string // common name; empty: Name
	Group string // organisation
}

// Ensure fills dir with the authorities (ca, front-proxy-ca), the serving certificate "server" for loopback, the
// service-account key pair (sa.key, sa.pub) and one client certificate for each identity. What is there and still
// valid for 30 days stays; else everything is made anew, since all of it hangs together.
func Ensure(dir string, identities []Identity) error {
	if fresh(dir, identities) {
		return nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot remove old certificates: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("cannot make the folder of certificates: %w", err)
	}
	ca, err := newAuthority(dir, "ca", "postern-stack-ca")
	if err != nil {
		return err
	}
	front, err := newAuthority(dir, "front-proxy-ca", "postern-stack-front-proxy-ca")
	if err != nil {
		return err
	}
	if err := front.issueClient(dir, Identity{Name: "front-proxy-client"}); err != nil {
		return err
	}
	for _, id := range identities {
		if err := ca.issueClient(dir, id); err != nil {
			return err
		}
	}
	if err := newServiceAccountKeys(dir); err != nil {
		return err
	}
	return ca.issueServer(dir) // last: its presence says that the folder is complete
}

func fresh(dir string, identities []Identity) bool {
	names := []string{"server"}
	for _, id := range identities {
		names = append(names, id.Name)
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name+".crt"))
		if err != nil {
			return false
		}
		block, _ := pem.Decode(data)
		if block == nil {
			return false
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil || time.Until(cert.NotAfter) < renewBefore {
			return false
		}
	}
	return true
}

type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(dir, name, commonName string) (*authority, error) {
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	cert, key, err := issue(dir, name, template, authorityLife, nil)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key}, nil
}

func (a *authority) issueClient(dir string, id Identity) error {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: id.User},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if id.User == "" {
		template.Subject.CommonName = id.Name
	}
	if id.Group != "" {
		template.Subject.Organization = []string{id.Group}
	}
	_, _, err := issue(dir, id.Name, template, leafLife, a)
	return err
}

func (a *authority) issueServer(dir string) error {
	_, _, err := issue(dir, "server", &x509.Certificate{
		Subject:     pkix.Name{CommonName: "postern-stack"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// The last one is what the aggregator expects of metrics-server.
		DNSNames: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "metrics-server.kube-system.svc"},
		// 10.96.0.1 is the first address of the service range: the service "kubernetes".
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback, net.IPv4(10, 96, 0, 1)},
	}, leafLife, a)
	return err
}

// issue signs template with parent (nil: with its own key) and writes NAME.crt and NAME.key.
func issue(dir, name string, template *x509.Certificate, life time.Duration, parent *authority) (*x509.Certificate, crypto.Signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make the key of %q: %w", name, err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make the serial number of %q: %w", name, err)
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour) // clocks of containers and hosts differ
	template.NotAfter = time.Now().Add(life)
	if parent == nil {
		parent = &authority{cert: template, key: key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent.cert, key.Public(), parent.key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot sign the certificate %q: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot read back the certificate %q: %w", name, err)
	}
	if err := writeKey(filepath.Join(dir, name+".key"), key); err != nil {
		return nil, nil, err
	}
	return cert, key, writePEM(filepath.Join(dir, name+".crt"), "CERTIFICATE", der, 0o644)
}

func newServiceAccountKeys(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make the service-account key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return fmt.Errorf("cannot encode the service-account key: %w", err)
	}
	if err := writeKey(filepath.Join(dir, "sa.key"), key); err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, "sa.pub"), "PUBLIC KEY", public, 0o644)
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return fmt.Errorf("cannot encode the key %q: %w", path, err)
	}
	return writePEM(path, "EC PRIVATE KEY", der, 0o600)
}

func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	data := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	if err := os.WriteFile(path, data, mode); err != nil {
		return fmt.Errorf("cannot write %q: %w", path, err)
	}
	return nil
}
