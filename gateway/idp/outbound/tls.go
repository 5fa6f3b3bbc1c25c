// Package outbound is how identity providers are spoken to: with whose certificates, for how long, and how much they may say.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/posternhq/postern/gateway/idp"
)

// Trust says which certificates are believed. Its fields are options of providers, with KubeSphere's names.
type Trust struct {
	RootCA             string `json:"rootCA"`             // file with PEM
	RootCAData         string `json:"rootCAData"`         // base64 of PEM; with neither, what the machine trusts
	InsecureSkipVerify bool   `json:"insecureSkipVerify"` // any certificate is good, so whoever is in between may be the provider
}

// maxCA is the most bytes that certificate authorities may have.
const maxCA = 1 << 20

// TLS is the configuration of a client. The error is an *idp.OptionError.
func TLS(t Trust) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: t.InsecureSkipVerify}
	if t.RootCA == "" && t.RootCAData == "" {
		return c, nil
	}
	c.RootCAs = x509.NewCertPool()
	if t.RootCA != "" {
		info, err := os.Stat(t.RootCA)
		if err == nil && info.Size() > maxCA {
			err = fmt.Errorf("file of more than %d bytes", maxCA)
		}
		var pem []byte
		if err == nil {
			pem, err = os.ReadFile(t.RootCA)
		}
		if err == nil && !c.RootCAs.AppendCertsFromPEM(pem) {
			err = errNoCertificate
		}
		if err != nil {
			return nil, idp.Wrong("rootCA", "cannot read %q: %w", t.RootCA, err)
		}
	}
	if t.RootCAData != "" {
		pem, err := base64.StdEncoding.DecodeString(t.RootCAData)
		if err == nil && !c.RootCAs.AppendCertsFromPEM(pem) {
			err = errNoCertificate
		}
		if err != nil {
			return nil, idp.Wrong("rootCAData", "want base64 of PEM: %w", err)
		}
	}
	return c, nil
}

var errNoCertificate = errors.New("there is no certificate in it")

// Handshake makes c speak TLS. It does not close c.
func Handshake(ctx context.Context, c net.Conn, config *tls.Config) (net.Conn, error) {
	secure := tls.Client(c, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("cannot speak TLS: %w", err)
	}
	return secure, nil
}
