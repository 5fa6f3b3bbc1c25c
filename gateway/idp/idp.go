// Package idp logs in users whom somebody else knows: a directory, an OIDC provider, GitHub, GitLab, CAS. A type of provider
// is a folder below this one and a line in types/types.go; a use of it is an entry of
// authentication.oauthOptions.identityProviders.
//
// What a provider says of somebody is an Identity. A Set finds the account that belongs to it, by the pair of provider and
// UID and by nothing else, and makes one where the configuration says so.
package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
)

// Identity is somebody as a provider knows them. Its texts have been bounded, not judged: a name may be no valid name here.
type Identity struct {
	UID         string   // never changes and is never given to another; required
	Name        string   // the name they log in with there; may be empty
	Email       string   // one that the provider has verified, or empty
	DisplayName string   // for people to read; may be empty
	Groups      []string // as the provider names them; they mean nothing here unless groupMapping says so
}

// Errors that callers branch on. What they wrap is for the log: it may name hosts and entries of the provider.
var (
	// ErrRefused: the provider says no: wrong name, password or code, or an answer that proves nothing.
	ErrRefused = errors.New("the identity provider refused")
	// ErrUnavailable: the provider cannot be asked now.
	ErrUnavailable = errors.New("the identity provider is not available")
	// ErrUnknown: there is no provider of that name that logs in that way.
	ErrUnknown = errors.New("no such identity provider")
	// ErrNoAccount: the provider knows them, but nobody here is linked to them and none is made.
	ErrNoAccount = errors.New("no account is linked to this identity")
	// ErrTaken: an account would be made, but its name or e-mail is that of an account which is not linked to them.
	ErrTaken = errors.New("another account has this name or e-mail")
)

// Visit is one way of a browser to a provider and back. The same values are given to AuthorizeURL and to Exchange; whoever
// holds them in between binds them to the browser, so that nobody is logged in by a link.
type Visit struct {
	State    string // unguessable; the caller compares it before Exchange
	Nonce    string // unguessable; comes back in the id token of OIDC
	Verifier string // PKCE, 43 to 128 characters of RFC 7636; empty: the visit did not start here, so no PKCE
	Redirect string // the URL the browser comes back to; the option redirectURL of a provider is used in its place
}

// Provider is one entry of identityProviders. It is an OAuthProvider or a PasswordProvider, and safe for concurrent use.
type Provider interface {
	// Close frees what the provider holds. Logins under way may fail.
	Close()
}

// OAuthProvider sends browsers to a page of its own.
type OAuthProvider interface {
	Provider
	// AuthorizeURL is where the browser goes. It may ask the provider where that is.
	AuthorizeURL(ctx context.Context, v Visit) (string, error)
	// Exchange turns the query that the browser came back with into who they are.
	Exchange(ctx context.Context, v Visit, callback url.Values) (Identity, error)
}

// PasswordProvider checks passwords.
type PasswordProvider interface {
	Provider
	// Login says who has that name and password. An empty password is refused, whatever the provider would say.
	Login(ctx context.Context, name, password string) (Identity, error)
}

// Type makes providers.
type Type struct {
	// Name is the word under type.
	Name string
	// New makes a provider of its options, a JSON object. It connects to nothing and starts nothing. An *OptionError says which
	// option is wrong.
	New func(options json.RawMessage) (Provider, error)
	// Group is a group's name in the form that identities have it in; nil: as it is.
	Group func(name string) string
}

// OptionError says which option is wrong: Key is its path below provider, or empty.
type OptionError struct {
	Key string
	Err error
}

func (e *OptionError) Error() string {
	if e.Key == "" {
		return e.Err.Error()
	}
	return e.Key + ": " + e.Err.Error()
}

func (e *OptionError) Unwrap() error { return e.Err }

// Wrong is an *OptionError with a message made as fmt.Errorf makes it.
func Wrong(key, format string, args ...any) error {
	return &OptionError{key, fmt.Errorf(format, args...)}
}
