// Package oidc verifies tokens of OpenID Connect issuers that the configuration trusts. An issuer is asked for its keys when
// the first token of it comes; one that does not answer holds up nobody but its own users.
package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Reasons of a refusal, besides those of signature and times.
var (
	// ErrUnavailable says that the issuer's keys cannot be had now: the token may be good.
	ErrUnavailable = errors.New("the issuer's keys cannot be read")

	errKey      = errors.New("no key of the issuer has signed the token")
	errAudience = errors.New("token is for somebody else")
	errExpiry   = errors.New("token without exp")
	errName     = errors.New("token without a name")
	errEmail    = errors.New("e-mail is not verified")
	errSystem   = errors.New("name is one of Kubernetes itself")
)

// Options of an Issuer.
type Options struct {
	URL                          string
	Audiences                    []string
	UsernameClaim, GroupsClaim   string // GroupsClaim may be empty
	UsernamePrefix, GroupsPrefix string
	CA                           []byte        // PEM; nil: the system's authorities
	Skew                         time.Duration // how far its clock and ours may differ
}

// Identity is who a token says its bearer is.
type Identity struct {
	Name, UID string
	Groups    []string
	Issued    time.Time // zero: not told
	Expires   time.Time
}

// Issuer verifies tokens of one issuer. It is safe for concurrent use.
type Issuer struct {
	o    Options
	http *http.Client
	keys keys
}

// algorithms are those of key pairs: nobody shares a secret with an issuer.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// New makes an issuer. It asks nobody yet.
func New(o Options) (*Issuer, error) {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		MaxIdleConns: 2, IdleConnTimeout: 30 * time.Second, TLSHandshakeTimeout: fetchTimeout, MaxResponseHeaderBytes: 64 << 10,
	}
	if o.CA != nil {
		transport.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !transport.TLSClientConfig.RootCAs.AppendCertsFromPEM(o.CA) {
			return nil, fmt.Errorf("cannot trust issuer %q: no certificate in its CA file", o.URL)
		}
	}
	i := &Issuer{o: o, http: &http.Client{Transport: transport, CheckRedirect: sameHost}}
	i.keys.fetch = i.fetch
	return i, nil
}

// sameHost lets nobody but the host that was asked say what its keys are.
func sameHost(r *http.Request, via []*http.Request) error {
	if len(via) > 3 || r.URL.Host != via[0].URL.Host || r.URL.Scheme != via[0].URL.Scheme {
		return fmt.Errorf("cannot follow a redirect to %q", r.URL.Redacted())
	}
	return nil
}

// URL is the iss of its tokens.
func (i *Issuer) URL() string { return i.o.URL }

// Close ends idle connections, and a question for keys that is under way.
func (i *Issuer) Close() {
	i.keys.close()
	i.http.CloseIdleConnections()
}

// Verify says who a token is. The error is ErrUnavailable, or wraps it, when that cannot be known now.
func (i *Issuer) Verify(ctx context.Context, token string) (*Identity, error) {
	signed, err := jwt.ParseSigned(token, algorithms)
	if err != nil {
		return nil, fmt.Errorf("cannot parse token: %w", err)
	}
	payload, err := i.payload(ctx, signed)
	if err != nil {
		return nil, fmt.Errorf("cannot verify token of issuer %q: %w", i.o.URL, err)
	}
	id, err := i.identity(payload, time.Now())
	if err != nil {
		return nil, fmt.Errorf("cannot accept token of issuer %q: %w", i.o.URL, err)
	}
	return id, nil
}

// payload is what the token says, if a key of the issuer has signed it.
func (i *Issuer) payload(ctx context.Context, signed *jwt.JSONWebToken) (claims map[string]json.RawMessage, err error) {
	header := signed.Headers[0]
	candidates, err := i.keys.named(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	for _, k := range candidates {
		if k.Algorithm != "" && k.Algorithm != header.Algorithm {
			continue
		}
		claims = nil
		if signed.Claims(k.Key, &claims) == nil {
			return claims, nil
		}
	}
	return nil, errKey
}

// identity reads claims whose signature is good.
func (i *Issuer) identity(claims map[string]json.RawMessage, now time.Time) (*Identity, error) {
	var c jwt.Claims
	all, err := json.Marshal(claims)
	if err == nil {
		err = json.Unmarshal(all, &c)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read claims: %w", err)
	}
	if err := c.ValidateWithLeeway(jwt.Expected{Issuer: i.o.URL, Time: now}, i.o.Skew); err != nil {
		return nil, err
	}
	switch {
	case c.Expiry == nil:
		return nil, errExpiry
	case !anyOf(c.Audience, i.o.Audiences):
		return nil, fmt.Errorf("%w: %q", errAudience, c.Audience)
	}
	id := &Identity{UID: c.Subject, Expires: c.Expiry.Time().Add(i.o.Skew)}
	if c.IssuedAt != nil {
		id.Issued = c.IssuedAt.Time()
	}
	if id.Name, err = i.name(claims); err != nil {
		return nil, err
	}
	id.Groups, err = i.groups(claims)
	return id, err
}

func anyOf(have jwt.Audience, want []string) bool {
	for _, w := range want {
		if have.Contains(w) {
			return true
		}
	}
	return false
}

// name is the user's, with the prefix. An e-mail that the issuer has not verified may be anybody's.
func (i *Issuer) name(claims map[string]json.RawMessage) (string, error) {
	var name string
	if err := json.Unmarshal(claims[i.o.UsernameClaim], &name); err != nil || name == "" {
		return "", fmt.Errorf("%w: claim %q", errName, i.o.UsernameClaim)
	}
	if verified, told := claims["email_verified"]; i.o.UsernameClaim == "email" && told && string(verified) != "true" {
		return "", errEmail
	}
	if name = i.o.UsernamePrefix + name; strings.HasPrefix(name, "system:") {
		return "", errSystem
	}
	return name, nil
}

// groups are the user's, with the prefix. A claim that is missing is no groups.
func (i *Issuer) groups(claims map[string]json.RawMessage) ([]string, error) {
	text := claims[i.o.GroupsClaim]
	if i.o.GroupsClaim == "" || text == nil {
		return nil, nil
	}
	var names []string
	if err := json.Unmarshal(text, &names); err != nil {
		var one string
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("cannot read groups in claim %q: %w", i.o.GroupsClaim, err)
		}
		names = []string{one}
	}
	groups := make([]string, 0, len(names))
	for _, n := range names {
		groups = append(groups, i.o.GroupsPrefix+n)
	}
	return groups, nil
}

// secure says whether a URL of the issuer may be asked: HTTPS, or HTTP as the issuer's own URL has it.
func (i *Issuer) secure(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !strings.HasPrefix(i.o.URL, "http://")) {
		return fmt.Errorf("cannot ask for keys at %q: want an https URL", text)
	}
	return nil
}

// Same says whether o would make an issuer like this one.
func (i *Issuer) Same(o Options) bool { return reflect.DeepEqual(i.o, o) }

// Problem is why its keys could not be read the last time; nil: they could, or nobody has asked.
func (i *Issuer) Problem() error {
	i.keys.mu.Lock()
	defer i.keys.mu.Unlock()
	return i.keys.problem
}
