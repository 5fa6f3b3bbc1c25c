// Package authcode is what the providers have in common that give a code and take it back for a token (RFC 6749, section 4.1):
// OIDC, GitHub and GitLab.
package authcode

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/outbound"
)

// Options are those of all such providers, with KubeSphere's names; rootCA and rootCAData are ours.
type Options struct {
	ClientID     string   `json:"clientID"`
	ClientSecret string   `json:"clientSecret"`
	RedirectURL  string   `json:"redirectURL"` // empty: the gateway's own
	Scopes       []string `json:"scopes"`
	Endpoint     Endpoint `json:"endpoint"`
	outbound.Trust
}

// Endpoint are the URLs of a provider.
type Endpoint struct {
	AuthURL     string `json:"authURL"`
	TokenURL    string `json:"tokenURL"`
	UserInfoURL string `json:"userInfoURL"`
	JWKSURL     string `json:"jwksURL"` // OIDC alone
}

// Check says what is wrong with options of a provider that needs no issuer. The error is an *idp.OptionError.
func (o *Options) Check() error {
	if o.ClientID == "" {
		return idp.Wrong("clientID", "is required")
	}
	for _, u := range []struct{ key, url string }{
		{"redirectURL", o.RedirectURL},
		{"endpoint.authURL", o.Endpoint.AuthURL},
		{"endpoint.tokenURL", o.Endpoint.TokenURL},
		{"endpoint.userInfoURL", o.Endpoint.UserInfoURL},
		{"endpoint.jwksURL", o.Endpoint.JWKSURL},
	} {
		if u.url == "" {
			continue
		}
		if _, err := idp.URL(u.key, u.url); err != nil {
			return err
		}
	}
	return nil
}

// Flow asks one provider for codes and tokens.
type Flow struct {
	Options *Options
	Client  *outbound.Client
	Style   oauth2.AuthStyle // how the secret is sent
}

func (f *Flow) config(v idp.Visit) *oauth2.Config {
	redirect := f.Options.RedirectURL
	if redirect == "" {
		redirect = v.Redirect
	}
	style := f.Style
	if f.Options.ClientSecret == "" {
		style = oauth2.AuthStyleInParams // a client without a secret says its name in the form (RFC 6749, section 3.2.1)
	}
	return &oauth2.Config{
		ClientID: f.Options.ClientID, ClientSecret: f.Options.ClientSecret, RedirectURL: redirect, Scopes: f.Options.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: f.Options.Endpoint.AuthURL, TokenURL: f.Options.Endpoint.TokenURL, AuthStyle: style},
	}
}

// AuthorizeURL is where the browser goes.
func (f *Flow) AuthorizeURL(v idp.Visit) (string, error) {
	if f.Options.RedirectURL == "" && v.Redirect == "" {
		return "", idp.NoRedirect()
	}
	var extra []oauth2.AuthCodeOption
	if v.Nonce != "" {
		extra = append(extra, oauth2.SetAuthURLParam("nonce", v.Nonce))
	}
	if v.Verifier != "" {
		extra = append(extra, oauth2.S256ChallengeOption(v.Verifier))
	}
	return f.config(v).AuthCodeURL(v.State, extra...), nil
}

// maxCode is the most bytes that a code may have.
const maxCode = 4096

// Token changes the code that the browser has brought into a token.
func (f *Flow) Token(ctx context.Context, v idp.Visit, callback url.Values) (*oauth2.Token, error) {
	code := callback.Get("code")
	if code == "" || len(code) > maxCode || len(callback["code"]) > 1 {
		return nil, fmt.Errorf("no code: %w", idp.ErrRefused)
	}
	var extra []oauth2.AuthCodeOption
	if v.Verifier != "" {
		extra = append(extra, oauth2.VerifierOption(v.Verifier))
	}
	token, err := f.config(v).Exchange(context.WithValue(ctx, oauth2.HTTPClient, &f.Client.Client), code, extra...)
	if err != nil {
		return nil, failure(err)
	}
	return token, nil
}

// failure is why there is no token. What the provider says beside the error's code may be anything, and is left out.
func failure(err error) error {
	var says *oauth2.RetrieveError
	if !errors.As(err, &says) {
		return fmt.Errorf("cannot get a token: %w: %w", idp.ErrUnavailable, outbound.Cause(err))
	}
	verdict := idp.ErrRefused
	if says.Response != nil && says.Response.StatusCode != http.StatusOK {
		verdict = outbound.Verdict(says.Response.StatusCode)
	}
	return fmt.Errorf("cannot get a token: error %.40q: %w", says.ErrorCode, verdict)
}
