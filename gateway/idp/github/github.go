// Package github is the identity provider GitHubIdentityProvider: github.com, or a GitHub Enterprise Server.
package github

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/authcode"
	"github.com/posternhq/postern/gateway/idp/outbound"
)

// Type is GitHubIdentityProvider.
var Type = idp.Type{Name: "GitHubIdentityProvider", New: newProvider}

type options struct {
	authcode.Options
	BaseURL string `json:"baseURL"` // of a GitHub Enterprise Server; ours
}

type provider struct {
	flow   *authcode.Flow
	client *outbound.Client
}

var _ idp.OAuthProvider = (*provider)(nil)

func newProvider(raw json.RawMessage) (idp.Provider, error) {
	o := new(options)
	if err := idp.Decode(raw, o); err != nil {
		return nil, err
	}
	if err := o.complete(); err != nil {
		return nil, err
	}
	client, err := outbound.NewClient(o.Trust)
	if err != nil {
		return nil, err
	}
	return &provider{&authcode.Flow{Options: &o.Options, Client: client, Style: oauth2.AuthStyleInParams}, client}, nil
}

// complete fills in the URLs: github.com has its API on a host of its own, a server below /api/v3.
func (o *options) complete() error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.Endpoint.JWKSURL != "" {
		return idp.Wrong("endpoint.jwksURL", "is for OIDC: GitHub signs nothing")
	}
	site, api := "https://github.com", "https://api.github.com"
	if o.BaseURL != "" {
		if _, err := idp.URL("baseURL", o.BaseURL); err != nil {
			return err
		}
		site = strings.TrimSuffix(o.BaseURL, "/")
		api = site + "/api/v3"
	}
	for _, u := range []struct {
		url  *string
		here string
	}{
		{&o.Endpoint.AuthURL, site + "/login/oauth/authorize"},
		{&o.Endpoint.TokenURL, site + "/login/oauth/access_token"},
		{&o.Endpoint.UserInfoURL, api + "/user"},
	} {
		if *u.url == "" {
			*u.url = u.here
		}
	}
	if o.Scopes == nil {
		o.Scopes = []string{"read:user", "user:email"}
	}
	return nil
}

// Close implements idp.Provider.
func (p *provider) Close() { p.client.Close() }

// AuthorizeURL implements idp.OAuthProvider.
func (p *provider) AuthorizeURL(_ context.Context, v idp.Visit) (string, error) {
	return p.flow.AuthorizeURL(v)
}

// user is what /user says. The e-mail there is what the user shows others; /user/emails says which are theirs.
type user struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
	Name  string `json:"name"`
}

// Exchange implements idp.OAuthProvider. The UID is the number: a login can be changed, and is then free for others.
func (p *provider) Exchange(ctx context.Context, v idp.Visit, callback url.Values) (idp.Identity, error) {
	token, err := p.flow.Token(ctx, v, callback)
	if err != nil {
		return idp.Identity{}, err
	}
	var u user
	if err := p.client.JSON(ctx, p.flow.Options.Endpoint.UserInfoURL, token.AccessToken, &u); err != nil {
		return idp.Identity{}, fmt.Errorf("cannot ask who it is: %w", err)
	}
	if u.ID <= 0 {
		return idp.Identity{}, fmt.Errorf("a user with the number %d: %w", u.ID, idp.ErrRefused)
	}
	email, err := p.email(ctx, token.AccessToken)
	if err != nil {
		return idp.Identity{}, err
	}
	return idp.Identity{UID: strconv.FormatInt(u.ID, 10), Name: u.Login, Email: email, DisplayName: u.Name}, nil
}

// email is the primary address, if it is verified. Without the scope user:email GitHub does not say.
func (p *provider) email(ctx context.Context, token string) (string, error) {
	var all []struct {
		Email             string
		Primary, Verified bool
	}
	err := p.client.JSON(ctx, strings.TrimSuffix(p.flow.Options.Endpoint.UserInfoURL, "/")+"/emails", token, &all)
	switch {
	case errors.Is(err, idp.ErrRefused):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot ask for e-mail addresses: %w", err)
	}
	for _, e := range all {
		if e.Primary && e.Verified {
			return e.Email, nil
		}
	}
	return "", nil
}
