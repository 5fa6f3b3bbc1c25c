package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway"
	"github.com/posternhq/postern/gateway/core"
)

const (
	oauthClientName = gateway.CommandLineClient
	oauthTimeout    = 30 * time.Second
	oauthBytes      = 1 << 20 // of an answer
)

// serverClient asks a gateway for tokens.
type serverClient struct {
	server string
	client *http.Client
}

// serverURL makes sure that text is a gateway's URL, and that a password sent there is not read on the way.
func serverURL(text string, plain bool) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", fmt.Errorf("cannot log in at %q: want a URL, as https://gateway.example.com", text)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return "", fmt.Errorf("cannot log in at %q: want scheme, host and port alone, as %s://%s", u.Redacted(), u.Scheme, u.Host)
	}
	if u.Scheme == "http" && !plain && !loopback(u.Hostname()) {
		return "", fmt.Errorf("cannot log in at %q: passwords and tokens could be read on the way; use https, or --plain-http if nobody listens", text)
	}
	return u.Scheme + "://" + u.Host, nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// newServerClient trusts the authority ca; empty: the system's.
func newServerClient(server string, ca []byte) (*serverClient, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, errors.New("cannot use the certificate authority: it has no certificate in PEM")
		}
	}
	return &serverClient{server, &http.Client{
		Timeout:       oauthTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: oauthTimeout}).DialContext},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// oauthTokens is what the token endpoint answers.
type oauthTokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Expires int64  `json:"expires_in"` // seconds; 0: never
}

// refusal is an answer of RFC 6749, section 5.2, or a Status.
type oauthRefusal struct {
	Code        string `json:"error"`
	Description string `json:"error_description"`
	Message     string `json:"message"`
	status      int
	wait        string // Retry-After, seconds
}

func (r *oauthRefusal) Error() string {
	text := r.Description
	if text == "" {
		text = r.Message
	}
	if text == "" {
		text = r.Code
	}
	if text == "" {
		text = http.StatusText(r.status)
	}
	if seconds, err := time.ParseDuration(r.wait + "s"); err == nil && r.wait != "" {
		text += fmt.Sprintf("; try again in %v", seconds)
	}
	return text
}

// token asks the token endpoint.
func (c *serverClient) token(ctx context.Context, form url.Values) (*oauthTokens, error) {
	form.Set("client_id", oauthClientName)
	t := new(oauthTokens)
	if err := c.ask(ctx, http.MethodPost, "/oauth/token", "", form, t); err != nil {
		return nil, err
	}
	if t.Access == "" {
		return nil, fmt.Errorf("cannot log in at %s: it answers without a token; is it a Postern gateway?", c.server)
	}
	return t, nil
}

// user is whose token it is.
func (c *serverClient) user(ctx context.Context, access string) (string, error) {
	var info struct {
		Subject string `json:"sub"`
		Name    string `json:"preferred_username"`
	}
	if err := c.ask(ctx, http.MethodGet, "/oauth/userinfo", access, nil, &info); err != nil {
		return "", err
	}
	if info.Name == "" {
		info.Name = info.Subject
	}
	return info.Name, nil
}

func (c *serverClient) logout(ctx context.Context, access string) error {
	return c.ask(ctx, http.MethodPost, "/oauth/logout", access, url.Values{}, new(struct{}))
}

// ask sends a form, or nothing, and reads the answer.
func (c *serverClient) ask(ctx context.Context, method, path, bearer string, form url.Values, into any) error {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, body)
	if err != nil {
		return fmt.Errorf("cannot ask %s: %w", c.server, err)
	}
	req.Header.Set("User-Agent", "postern/"+core.Build().GitVersion)
	req.Header.Set("Accept", "application/json")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	r, err := c.client.Do(req)
	if err != nil {
		return unreachable(c.server, err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(r.Body, oauthBytes))
	if err != nil {
		return fmt.Errorf("cannot read the answer of %s: %w", c.server, err)
	}
	if r.StatusCode != http.StatusOK {
		refused := &oauthRefusal{status: r.StatusCode, wait: r.Header.Get("Retry-After")}
		_ = json.Unmarshal(text, refused) // else the status says enough
		return refused
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("cannot read the answer of %s: %w; is it a Postern gateway?", c.server, err)
	}
	return nil
}

// unreachable says what to do about an authority that nobody knows.
func unreachable(server string, err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) {
		return fmt.Errorf("cannot trust %s: %w; name its certificate authority with --ca FILE", server, err)
	}
	return fmt.Errorf("cannot reach %s: %w", server, err)
}
