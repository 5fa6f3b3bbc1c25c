package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

var identities = []Identity{{Name: "admin", Group: Masters}, {Name: "kcm", User: "system:kcm"}}

func ensure(t *testing.T, dir string) {
	t.Helper()
	if err := Ensure(dir, identities); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func TestCertificatesAreOfTheAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	ensure(t, dir)
	roots := x509.NewCertPool()
	roots.AddCert(load(t, dir, "ca"))
	server := x509.VerifyOptions{Roots: roots, DNSName: "127.0.0.1"}
	if _, err := load(t, dir, "server").Verify(server); err != nil {
		t.Error(err)
	}
	client := x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	admin := load(t, dir, "admin")
	if _, err := admin.Verify(client); err != nil {
		t.Error(err)
	}
	if admin.Subject.CommonName != "admin" || len(admin.Subject.Organization) != 1 || admin.Subject.Organization[0] != Masters {
		t.Errorf("admin is %v", admin.Subject)
	}
	if user := load(t, dir, "kcm").Subject.CommonName; user != "system:kcm" {
		t.Errorf("kcm is %q", user)
	}
	if _, err := load(t, dir, "front-proxy-client").Verify(client); err == nil {
		t.Error("the front proxy's client passes as a user")
	}
}

func TestKeptWhileCompleteAndMadeAnewElse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pki")
	ensure(t, dir)
	before := load(t, dir, "ca").SerialNumber
	ensure(t, dir)
	if load(t, dir, "ca").SerialNumber.Cmp(before) != 0 {
		t.Error("complete certificates were made anew")
	}
	if err := os.Remove(filepath.Join(dir, "kcm.crt")); err != nil {
		t.Fatal(err)
	}
	ensure(t, dir)
	if load(t, dir, "ca").SerialNumber.Cmp(before) == 0 {
		t.Error("a certificate was missing and the rest was kept")
	}
}
