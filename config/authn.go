package config

import (
	"fmt"
	"net/url"
	"slices"
	"time"
)

// Authn is what KubeSphere's section authentication has no keys for.
type Authn struct {
	Keys               TokenKeys          `json:"keys" doc:"keys of tokens besides authentication.jwtSecret and oauthOptions.signKey"`
	Issuers            []Issuer           `json:"issuers" doc:"OpenID Connect issuers whose tokens are good as bearer tokens"`
	ServiceAccounts    ServiceAccounts    `json:"serviceAccounts" doc:"tokens of Kubernetes' service accounts"`
	ClientCertificates ClientCertificates `json:"clientCertificates" doc:"certificates that clients show, see listen.tls.clientCAFile"`
}

// TokenKeys are keys of tokens. What is not configured is made once and kept in a
// Secret postern-keys of postern.namespace, which all replicas share.
type TokenKeys struct {
	PreviousSecret      string        `json:"previousSecret" secret:"true" doc:"the jwtSecret of before: tokens that it signed are still good"`
	PreviousSignKeyFile string        `json:"previousSignKeyFile" doc:"PEM file of the signKey of before, private or public"`
	RotateEvery         time.Duration `json:"rotateEvery" default:"0" check:"nonnegative" doc:"the Secret gets new keys when its newest are that old; replaced ones are good for as long as a token lives; 0: never by itself"`
}

// Issuer is an OpenID Connect issuer. Its users need no account here: roles are
// bound to their names and groups as the prefixes make them.
type Issuer struct {
	URL            string   `json:"url" check:"url" doc:"iss of its tokens, and where its .well-known/openid-configuration is"`
	Audiences      []string `json:"audiences" doc:"tokens must be for one of them: client ids"`
	UsernameClaim  string   `json:"usernameClaim" default:"sub" doc:"claim with the user's name; email must not be said to be unverified"`
	UsernamePrefix string   `json:"usernamePrefix" doc:"in front of names; empty: the url and #; a dash: none, so that users of the issuer are those of the same name here"`
	GroupsClaim    string   `json:"groupsClaim" doc:"claim with groups, a list or one; empty: none"`
	GroupsPrefix   string   `json:"groupsPrefix" doc:"in front of groups; empty: the url and #; a dash: none"`
	CAFile         string   `json:"caFile" doc:"PEM file of authorities to trust instead of the system's"`
}

// Prefixes are what stands in front of names and groups.
func (i *Issuer) Prefixes() (username, groups string) {
	of := func(p string) string {
		switch p {
		case "":
			return i.URL + "#"
		case "-":
			return ""
		}
		return p
	}
	return of(i.UsernamePrefix), of(i.GroupsPrefix)
}

// ServiceAccounts says whether pods may use their tokens here.
type ServiceAccounts struct {
	Enabled   bool     `json:"enabled" default:"true" doc:"kube-apiserver is asked about them (TokenReview), once a minute each"`
	Audiences []string `json:"audiences" doc:"tokens must be for one of them; empty: for kube-apiserver"`
}

// ClientCertificates says what certificates are good for.
type ClientCertificates struct {
	Enabled bool `json:"enabled" default:"true" doc:"without an Authorization header, the certificate says who asks: its common name, and its organizations as groups"`
	System  bool `json:"system" default:"false" doc:"names and groups of Kubernetes itself, as system:masters, are theirs too"`
}

// issuerConflicts finds issuers that could not be told apart, or would vouch for anything.
func (c *Config) issuerConflicts(fail func(key, message string)) {
	seen := map[string]bool{c.Authentication.OAuthOptions.Issuer: true}
	for i, issuer := range c.Postern.Authentication.Issuers {
		key := path{"postern", "authentication", "issuers"}.item(i)
		if issuer.URL == "" || seen[issuer.URL] {
			fail(key.with("url").String(), fmt.Sprintf("want a URL that no other issuer has, and not oauthOptions.issuer; have %q", issuer.URL))
		}
		seen[issuer.URL] = true
		if u, err := url.Parse(issuer.URL); err == nil && u.Scheme == "http" && !slices.Contains([]string{"127.0.0.1", "::1", "localhost"}, u.Hostname()) {
			fail(key.with("url").String(), "want https: whoever is on the way could vouch for anybody")
		}
		if len(issuer.Audiences) == 0 {
			fail(key.with("audiences").String(), "is empty: tokens for any other program would be good here")
		}
	}
}
