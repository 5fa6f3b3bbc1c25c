package token

import "github.com/go-jose/go-jose/v4/jwt"

// Kind is what a token is good for; each is good at one place alone.
type Kind string

// The kinds of token, as in claim token_type.
const (
	Access  Kind = "access_token"
	Refresh Kind = "refresh_token"
	Static  Kind = "static_token" // an access token without end
	Code    Kind = "code"
	ID      Kind = "id_token" // signed with the private key; the others with the secret
)

// Claims is what a token says. Fields that are empty are left out.
type Claims struct {
	jwt.Claims
	Kind     Kind   `json:"token_type,omitempty"`
	Username string `json:"username,omitempty"`
	// Session is the login that the token comes from: what ends it ends all tokens that have it.
	Session  string              `json:"sid,omitempty"`
	Extra    map[string][]string `json:"extra,omitempty"`
	Scopes   []string            `json:"scopes,omitempty"`
	Nonce    string              `json:"nonce,omitempty"`
	AuthTime *jwt.NumericDate    `json:"auth_time,omitempty"`
	// AccessHash ties an id token to the access token that came with it (at_hash).
	AccessHash string `json:"at_hash,omitempty"`

	Name              string `json:"name,omitempty"`
	Email             string `json:"email,omitempty"`
	Locale            string `json:"locale,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"`

	// RedirectURI and Challenge bind a code to the request that asked for it.
	RedirectURI string `json:"redirect_uri,omitempty"`
	Challenge   string `json:"code_challenge,omitempty"` // PKCE, S256
}
