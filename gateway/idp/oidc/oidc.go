// Package oidc is the identity provider OIDCIdentityProvider: any OpenID Connect provider, by the authorization code flow with
// PKCE and a nonce. Its id token is verified in full.
package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/authcode"
	"github.com/posternhq/postern/gateway/idp/outbound"
)

// Type is OIDCIdentityProvider.
var Type = idp.Type{Name: "OIDCIdentityProvider", New: newProvider}

// options; the first block is KubeSphere's, the second ours.
type options struct {
	authcode.Options
	Issuer               string `json:"issuer"`
	GetUserInfo          bool   `json:"getUserInfo"`
	EmailKey             string `json:"emailKey"`
	PreferredUsernameKey string `json:"preferredUsernameKey"`

	GroupsKey       string `json:"groupsKey"`
	UnverifiedEmail bool   `json:"unverifiedEmail"`
}

type provider struct {
	o      *options
	client *outbound.Client
	found  discovery
}

var _ idp.OAuthProvider = (*provider)(nil)

func newProvider(raw json.RawMessage) (idp.Provider, error) {
	o := &options{EmailKey: "email", PreferredUsernameKey: "preferred_username", GroupsKey: "groups"}
	if err := idp.Decode(raw, o); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	client, err := outbound.NewClient(o.Trust)
	if err != nil {
		return nil, err
	}
	p := &provider{o: o, client: client}
	p.found.ask = p.discover
	return p, nil
}

func (o *options) check() error {
	if o.Issuer == "" {
		return idp.Wrong("issuer", "is required: without it nobody can tell whether an id token is genuine")
	}
	if _, err := idp.URL("issuer", o.Issuer); err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return err
	}
	if o.Scopes == nil {
		o.Scopes = []string{"profile", "email"}
	}
	if !slices.Contains(o.Scopes, "openid") {
		o.Scopes = slices.Concat([]string{"openid"}, o.Scopes)
	}
	return nil
}

// Close implements idp.Provider.
func (p *provider) Close() { p.client.Close() }

// flow asks for codes and tokens where the metadata says.
func (p *provider) flow(m *metadata) *authcode.Flow {
	with := p.o.Options
	with.Endpoint = m.endpoint
	style := oauth2.AuthStyleInHeader
	if len(m.methods) > 0 && !slices.Contains(m.methods, "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &authcode.Flow{Options: &with, Client: p.client, Style: style}
}

// AuthorizeURL implements idp.OAuthProvider.
func (p *provider) AuthorizeURL(ctx context.Context, v idp.Visit) (string, error) {
	m, err := p.found.get(ctx)
	if err != nil {
		return "", err
	}
	return p.flow(m).AuthorizeURL(v)
}

// Exchange implements idp.OAuthProvider.
func (p *provider) Exchange(ctx context.Context, v idp.Visit, callback url.Values) (idp.Identity, error) {
	m, err := p.found.get(ctx)
	if err != nil {
		return idp.Identity{}, err
	}
	if issuer := callback.Get("iss"); issuer != "" && issuer != p.o.Issuer { // RFC 9207
		return idp.Identity{}, fmt.Errorf("the browser comes from another issuer: %w", idp.ErrRefused)
	}
	token, err := p.flow(m).Token(ctx, v, callback)
	if err != nil {
		return idp.Identity{}, err
	}
	claims, err := p.verify(ctx, m, v, token)
	if err != nil {
		return idp.Identity{}, err
	}
	if p.o.GetUserInfo {
		if err := p.userInfo(ctx, m, token.AccessToken, claims); err != nil {
			return idp.Identity{}, err
		}
	}
	return p.identity(claims), nil
}

// verify gives the claims of the id token: of this issuer, for this client, for this visit, and in time.
func (p *provider) verify(ctx context.Context, m *metadata, v idp.Visit, token *oauth2.Token) (map[string]any, error) {
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return nil, fmt.Errorf("no id token: %w", idp.ErrRefused)
	}
	keys := &keySet{KeySet: m.keys}
	verifier := oidc.NewVerifier(p.o.Issuer, keys, &oidc.Config{ClientID: p.o.ClientID, SupportedSigningAlgs: m.algorithms})
	id, err := verifier.Verify(ctx, raw)
	if err != nil {
		return nil, fmt.Errorf("cannot verify the id token: %w: %w", keys.blame(), err)
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return nil, fmt.Errorf("cannot decode the id token: %w: %w", idp.ErrRefused, err)
	}
	azp, _ := claims["azp"].(string)
	switch {
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(v.Nonce)) != 1 && v.Nonce != "":
		return nil, fmt.Errorf("the id token is of another visit: %w", idp.ErrRefused)
	case id.Subject == "":
		return nil, fmt.Errorf("the id token is nobody's: %w", idp.ErrRefused)
	case azp != "" && azp != p.o.ClientID, azp == "" && len(id.Audience) > 1:
		return nil, fmt.Errorf("the id token is for another client: %w", idp.ErrRefused)
	case id.AccessTokenHash != "" && id.VerifyAccessToken(token.AccessToken) != nil:
		return nil, fmt.Errorf("the access token is not the id token's: %w", idp.ErrRefused)
	}
	return claims, nil
}

// keySet remembers why a signature was not good; the library's verifier keeps the text of that alone.
type keySet struct {
	oidc.KeySet
	err error
}

func (k *keySet) VerifySignature(ctx context.Context, jwt string) (payload []byte, err error) {
	payload, k.err = k.KeySet.VerifySignature(ctx, jwt)
	return payload, k.err
}

// blame says whether a token is bad or the keys could not be asked for, which the library says in words alone.
func (k *keySet) blame() error {
	if k.err != nil && strings.HasPrefix(k.err.Error(), "fetching keys") {
		return idp.ErrUnavailable
	}
	return idp.ErrRefused
}

// userInfo puts what the provider says besides over claims. It is of the same user or worthless (OpenID Connect Core, section
// 5.3.2).
func (p *provider) userInfo(ctx context.Context, m *metadata, token string, claims map[string]any) error {
	if m.endpoint.UserInfoURL == "" {
		return fmt.Errorf("cannot ask for user info: the provider has no URL for it: %w", idp.ErrUnavailable)
	}
	var more map[string]any
	if err := p.client.JSON(ctx, m.endpoint.UserInfoURL, token, &more); err != nil {
		return fmt.Errorf("cannot ask for user info: %w", err)
	}
	if more["sub"] != claims["sub"] {
		return fmt.Errorf("the user info is of somebody else: %w", idp.ErrRefused)
	}
	for key, value := range more {
		claims[key] = value
	}
	return nil
}

// maxGroups is how many groups of one user are looked at.
const maxGroups = 1000

// identity maps claims.
func (p *provider) identity(claims map[string]any) idp.Identity {
	text := func(key string) string {
		s, _ := claims[key].(string)
		return s
	}
	id := idp.Identity{UID: text("sub"), Name: text(p.o.PreferredUsernameKey), DisplayName: text("name")}
	if id.Name == "" {
		id.Name = id.DisplayName // as upstream
	}
	verified := claims["email_verified"]
	if p.o.UnverifiedEmail || verified == true || verified == "true" {
		id.Email = text(p.o.EmailKey)
	}
	switch groups := claims[p.o.GroupsKey].(type) {
	case string:
		id.Groups = []string{groups}
	case []any:
		for _, g := range groups[:min(len(groups), maxGroups)] {
			if g, ok := g.(string); ok {
				id.Groups = append(id.Groups, g)
			}
		}
	}
	return id
}

// algorithms are those of the provider that can be believed: none with a shared secret, and not none.
func algorithms(offered []string) (all []string) {
	for _, a := range asymmetric {
		if len(offered) == 0 || slices.Contains(offered, a) {
			all = append(all, a)
		}
	}
	return all
}

var asymmetric = []string{
	oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
}
