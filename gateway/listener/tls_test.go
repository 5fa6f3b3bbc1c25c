package listener_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/listener"
)

// writePair writes a self-signed certificate for name and its key, and returns both as a client would use them.
func writePair(t *testing.T, dir, name string) (listener.TLS, tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	files := listener.TLS{CertFile: filepath.Join(dir, "tls.crt"), KeyFile: filepath.Join(dir, "tls.key"), Reload: 10 * time.Millisecond}
	if err := os.WriteFile(files.CertFile, certPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.KeyFile, keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return files, pair, pool
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	files, pair, pool := writePair(t, dir, "first")
	files.ClientCAFile = files.CertFile
	cancelled := make(chan struct{})
	_, addr := start(t, listener.Options{TLS: &files, Serve: func(x *exchange.Exchange) {
		if string(x.HTTP.Path()) == "/wait" {
			<-x.Context().Done()
			close(cancelled)
			return
		}
		for _, c := range x.HTTP.TLSConnectionState().PeerCertificates {
			x.HTTP.Response.AppendBodyString(c.Subject.CommonName)
		}
	}})
	config := &tls.Config{RootCAs: pool, ServerName: "first", NextProtos: []string{"h2", "http/1.1"}}
	t.Run("without a client certificate", func(t *testing.T) {
		c := dialTLS(t, addr, config)
		for range 2 {
			c.send(get("/"))
			if resp, body := c.answer("GET"); resp.StatusCode != 200 || body != "" {
				t.Errorf("got %d %q", resp.StatusCode, body)
			}
		}
		if p := c.Conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; p != "http/1.1" {
			t.Errorf("speaks %q", p)
		}
	})
	t.Run("with one", func(t *testing.T) {
		with := config.Clone()
		with.Certificates = []tls.Certificate{pair}
		c := dialTLS(t, addr, with)
		c.send(get("/"))
		if _, body := c.answer("GET"); body != "first" {
			t.Errorf("got %q", body)
		}
	})
	t.Run("refusal", func(t *testing.T) {
		c := dialTLS(t, addr, config)
		c.send("GET / HTTP/1.1\r\nHost : a\r\n\r\n" + evil)
		if got := codes(t, c.rest()); !equal(got, []int{400}) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("plain HTTP", func(t *testing.T) {
		c := dial(t, addr)
		c.send(plain)
		if got := c.rest(); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "plain HTTP") {
			t.Errorf("got %q", got)
		}
	})
	t.Run("client leaves", func(t *testing.T) {
		c := dialTLS(t, addr, config)
		c.send(get("/wait"))
		_ = c.Close()
		await(t, cancelled)
	})
}

func TestTLSHandshakeInTime(t *testing.T) {
	files, _, _ := writePair(t, t.TempDir(), "first")
	_, addr := start(t, listener.Options{TLS: &files, Serve: ok, HeaderTimeout: 100 * time.Millisecond})
	c := dial(t, addr)
	c.send("\x16\x03\x01")
	if _, err := io.ReadAll(c.in); err != nil {
		if e, isNet := err.(net.Error); isNet && e.Timeout() {
			t.Error("the connection stayed open")
		}
	}
}

func TestTLSReload(t *testing.T) {
	dir := t.TempDir()
	files, _, first := writePair(t, dir, "first")
	_, addr := start(t, listener.Options{TLS: &files, Serve: ok})
	old := dialTLS(t, addr, &tls.Config{RootCAs: first, ServerName: "first"})

	if err := os.WriteFile(files.KeyFile, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	dialTLS(t, addr, &tls.Config{RootCAs: first, ServerName: "first"})

	_, _, second := writePair(t, dir, "second")
	deadline := time.Now().Add(patient)
	for {
		c, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: second, ServerName: "second"})
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the new certificate is not served: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	old.send(get("/"))
	if resp, _ := old.answer("GET"); resp.StatusCode != 200 {
		t.Errorf("the old connection: %d", resp.StatusCode)
	}
}

func TestTLSFilesMustFit(t *testing.T) {
	files, _, _ := writePair(t, t.TempDir(), "first")
	other, _, _ := writePair(t, t.TempDir(), "other")
	files.KeyFile = other.KeyFile
	if _, err := listener.New(listener.Options{TLS: &files, Serve: ok}); err == nil || !strings.Contains(err.Error(), "cannot use the TLS certificate") {
		t.Errorf("got %v", err)
	}
	if _, err := listener.New(listener.Options{TLS: &listener.TLS{CertFile: "/nowhere"}, Serve: ok}); err == nil {
		t.Error("missing files were accepted")
	}
}
