package oauth

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
)

// Consents say what is asked of a user before a client gets a code.
const (
	Auto   = "auto"   // nothing
	Prompt = "prompt" // whether they want it
	Deny   = "deny"   // the client gets none
)

// Client is a program that may ask for tokens.
type Client struct {
	Name   string
	Secret string // empty: a public client, which cannot keep one; it needs PKCE
	// RedirectURIs are compared byte for byte. One of http on 127.0.0.1 or [::1] is good with any port (RFC 8252, section
	// 7.3); `*` is any http or https URL, at /oauth/authorize alone.
	RedirectURIs []string
	Consent      string   // empty: Auto
	Scopes       []string // that it may ask for; empty: all
	// MaxAge is the life of an access token, 0: for ever. Inactivity is what a refresh token lives longer.
	MaxAge, Inactivity time.Duration
}

func (c *Client) public() bool { return c.Secret == "" }

// secretIs compares in constant time, whatever the lengths.
func (c *Client) secretIs(secret string) bool {
	want, have := sha256.Sum256([]byte(c.Secret)), sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(want[:], have[:]) == 1
}

// redirectAllowed says whether tokens and codes may be sent to uri.
func (c *Client) redirectAllowed(uri string) bool {
	return c.registered(uri) || slices.Contains(c.RedirectURIs, "*") && anyURL(uri)
}

// registered says whether uri is one of the client's, byte for byte, ports on loopback aside.
func (c *Client) registered(uri string) bool {
	if uri == "*" || strings.Contains(uri, "#") {
		return false
	}
	return slices.Contains(c.RedirectURIs, uri) || slices.ContainsFunc(c.RedirectURIs, func(r string) bool { return sameLoopback(r, uri) })
}

// anyURL says whether uri is one that `*` stands for. Scripts and files are not, nor is what browsers read otherwise than we.
func anyURL(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil &&
		!strings.ContainsAny(uri, "#\\ ") && !strings.ContainsFunc(uri, control)
}

// sameLoopback says whether two URIs differ in the port alone, on a loopback address: a program on the user's own machine
// listens on whatever port is free.
func sameLoopback(registered, uri string) bool {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		want, ok := strings.CutPrefix(registered, host)
		have, same := strings.CutPrefix(uri, host)
		if ok && same {
			want, wantOK := cutPort(want)
			have, haveOK := cutPort(have)
			return wantOK && haveOK && want == have
		}
	}
	return false
}

// cutPort takes a port of at most five digits off, if there is one. The rest is a path, a query, or nothing.
func cutPort(rest string) (string, bool) {
	if port, ok := strings.CutPrefix(rest, ":"); ok {
		rest = strings.TrimLeft(port, "0123456789")
		if n := len(port) - len(rest); n == 0 || n > 5 {
			return "", false
		}
	}
	return rest, rest == "" || rest[0] == '/' || rest[0] == '?'
}

// redirectTo is where answers go. Without a URI in the request it is the client's first, unless that is `*`.
func (c *Client) redirectTo(requested string) (string, bool) {
	switch {
	case requested != "":
		return requested, c.redirectAllowed(requested)
	case len(c.RedirectURIs) > 0 && c.RedirectURIs[0] != "*":
		return c.RedirectURIs[0], true
	}
	return "", false
}

// scopes are those of a request. Scopes beyond what the client may ask for are refused, not dropped in silence.
func (c *Client) scopes(text string) ([]string, bool) {
	asked := strings.Fields(text)
	slices.Sort(asked)
	asked = slices.Compact(asked)
	for _, s := range asked {
		if c != nil && len(c.Scopes) > 0 && !slices.Contains(c.Scopes, s) {
			return nil, false
		}
	}
	return asked, true
}

// authenticate says which client asks: by HTTP Basic or by the body, not by both. A public client only gives its name.
func (s *Stage) authenticate(x *exchange.Exchange, p params) (*Client, *fault) {
	name, secret, basic, err := clientCredentials(x, p)
	if err != nil {
		return nil, invalid(err.Error())
	}
	c := s.clients[name]
	if c == nil {
		nobody.secretIs(secret) // as long as for somebody
	}
	if c != nil && c.secretIs(secret) {
		return c, nil
	}
	f := &fault{status: 401, code: codeClient, text: "unknown client, or wrong client secret"}
	if basic {
		f.challenge = `Basic realm="postern"`
	}
	return nil, f
}

var nobody = &Client{Secret: "nobody"}

// clientCredentials are those of the Authorization header, or of the body.
func clientCredentials(x *exchange.Exchange, p params) (name, secret string, basic bool, err error) {
	name, secret = p["client_id"], p["client_secret"]
	headers := x.HTTP.Request.Header.PeekAll("Authorization")
	if len(headers) == 0 {
		return name, secret, false, nil
	}
	if len(headers) > 1 || secret != "" {
		return "", "", false, errTwoCredentials
	}
	scheme, encoded, _ := bytes.Cut(headers[0], []byte(" "))
	if !bytes.EqualFold(scheme, []byte("basic")) {
		return "", "", false, errClientScheme
	}
	id, secret, err := decodeBasic(bytes.TrimSpace(encoded))
	if err == nil && name != "" && name != id {
		err = errTwoClients
	}
	return id, secret, true, err
}

var (
	errTwoCredentials = errors.New("the client is authenticated in more than one way")
	errTwoClients     = errors.New("client_id is not the client of the Authorization header")
	errClientScheme   = errors.New("clients authenticate by HTTP Basic or in the body")
	errClientBasic    = errors.New("the Authorization header is malformed")
)

// decodeBasic reads name and secret, each of which is form-encoded in turn (RFC 6749, section 2.3.1).
func decodeBasic(encoded []byte) (name, secret string, err error) {
	text, err := base64.StdEncoding.DecodeString(string(encoded))
	if err != nil {
		return "", "", errClientBasic
	}
	rawName, rawSecret, ok := strings.Cut(string(text), ":")
	if !ok {
		return "", "", errClientBasic
	}
	if name, err = decode(rawName); err != nil {
		return "", "", errClientBasic
	}
	if secret, err = decode(rawSecret); err != nil {
		return "", "", errClientBasic
	}
	return name, secret, nil
}
