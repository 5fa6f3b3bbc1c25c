// Package gitlab is the identity provider GitlabIdentityProvider: gitlab.com, or a GitLab of one's own.
package gitlab

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/oauth2"

	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/authcode"
	"github.com/posternhq/postern/gateway/idp/outbound"
)

// Type is GitlabIdentityProvider, spelt as upstream.
var Type = idp.Type{Name: "GitlabIdentityProvider", New: newProvider}

type options struct {
	authcode.Options
	BaseURL string `json:"baseURL"` // of a GitLab of one's own; ours
}

type provider struct {
	flow   *authcode.Flow
	client *outbound.Client
}

var _ idp.OAuthProvider = (*provider)(nil)

func newProvider(raw json.RawMessage) (idp.Provider, error) {
	o := &options{BaseURL: "https://gitlab.com"}
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

func (o *options) complete() error {
	if err := o.Check(); err != nil {
		return err
	}
	if o.Endpoint.JWKSURL != "" {
		return idp.Wrong("endpoint.jwksURL", "is for OIDC; to have GitLab's id tokens verified, use OIDCIdentityProvider")
	}
	if _, err := idp.URL("baseURL", o.BaseURL); err != nil {
		return err
	}
	base := strings.TrimSuffix(o.BaseURL, "/")
	for _, u := range []struct {
		url  *string
		here string
	}{
		{&o.Endpoint.AuthURL, base + "/oauth/authorize"},
		{&o.Endpoint.TokenURL, base + "/oauth/token"},
		{&o.Endpoint.UserInfoURL, base + "/api/v4/user"},
	} {
		if *u.url == "" {
			*u.url = u.here
		}
	}
	if o.Scopes == nil {
		o.Scopes = []string{"read_user"}
	}
	return nil
}

// Close implements idp.Provider.
func (p *provider) Close() { p.client.Close() }

// AuthorizeURL implements idp.OAuthProvider.
func (p *provider) AuthorizeURL(_ context.Context, v idp.Visit) (string, error) {
	return p.flow.AuthorizeURL(v)
}

// user is what /api/v4/user says.
type user struct {
	ID          int64   `json:"id"`
	Username    string  `json:"username"`
	Name        string  `json:"name"`
	State       string  `json:"state"`
	Email       string  `json:"email"`
	ConfirmedAt *string `json:"confirmed_at"` // null: the e-mail has not been confirmed
}

// Exchange implements idp.OAuthProvider. The UID is the number: a username can be changed, and is then free for others.
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
	if u.State != "active" {
		return idp.Identity{}, fmt.Errorf("user %d is in state %.20q there: %w", u.ID, u.State, idp.ErrRefused)
	}
	id := idp.Identity{UID: strconv.FormatInt(u.ID, 10), Name: u.Username, DisplayName: u.Name}
	if u.ConfirmedAt != nil && *u.ConfirmedAt != "" {
		id.Email = u.Email
	}
	return id, nil
}
