package oci

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"time"

	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/errcode"
	"oras.land/oras-go/v2/registry/remote/retry"
)

// maxRedirects is how often a blob's address may lead on: registries send clients to their storage once or twice.
const maxRedirects = 4

// repository is a registry's side of r; close gives its connections back.
func (o Options) repository(r Reference) (repo *remote.Repository, closeIdle func(), err error) {
	repo, err = remote.NewRepository(r.Host + "/" + r.Repository)
	if err != nil {
		return nil, nil, err
	}
	local := loopback(r.Host)
	repo.PlainHTTP = o.PlainHTTP || local && o.CAFile == ""
	base, err := o.transport()
	if err != nil {
		return nil, nil, err
	}
	credential, err := o.credential(r.Host)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot find credentials: %w", err)
	}
	client := &auth.Client{
		Client: &http.Client{
			Transport:     guard{retry.NewTransport(base), repo.PlainHTTP},
			CheckRedirect: follow,
		},
		Credential: credential, Cache: auth.NewCache(),
	}
	if local {
		client.BlockedRealmPrefixes = []netip.Prefix{} // a registry on this machine has its token service there, too
	}
	client.SetUserAgent("postern")
	repo.Client = client
	return repo, base.CloseIdleConnections, nil
}

// transport bounds each step of a request; the whole is bounded by its context.
func (o Options) transport() (*http.Transport, error) {
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute,
		MaxIdleConnsPerHost: 2, IdleConnTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
		MaxResponseHeaderBytes: 64 << 10,
	}
	if o.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("cannot read the registry's authorities: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot use %q as authorities: no PEM certificate in it", o.CAFile)
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return t, nil
}

// guard refuses requests without TLS wherever they come from: the reference, a redirect, or the address of a token
// service that a registry names and that is sent the password.
type guard struct {
	next  http.RoundTripper
	plain bool
}

func (g guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && !g.plain {
		return nil, fmt.Errorf("refused to speak plain HTTP with %q: allow it with --plain-http", r.URL.Host)
	}
	return g.next.RoundTrip(r)
}

// follow allows what the protocol needs: reads that are answered from a registry's storage, never from TLS to none.
func follow(r *http.Request, via []*http.Request) error {
	switch {
	case len(via) > maxRedirects:
		return fmt.Errorf("stopped after %d redirects", maxRedirects)
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		return errors.New("refused to follow a redirect of a write")
	case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
		return fmt.Errorf("refused to follow a redirect from TLS to %q", (&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host}).String())
	}
	return nil
}

// loopback says whether host, with or without a port, is this machine.
func loopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	if name == "localhost" {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

// hint adds to a registry's refusal what can be done about it.
func hint(err error, ref Reference) error {
	var answer *errcode.ErrorResponse
	refused := errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden)
	if refused || errors.Is(err, auth.ErrBasicCredentialNotFound) {
		return fmt.Errorf("%w; the registry wants other credentials: `docker login %s`, or a user name and password", err, ref.Host)
	}
	return err
}
