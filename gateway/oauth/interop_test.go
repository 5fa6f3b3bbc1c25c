package oauth_test

import (
	"context"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/posternhq/postern/gateway/oauth"
)

// TestStandardClients has golang.org/x/oauth2 and go-oidc, which know nothing of us, log in by discovery alone.
func TestStandardClients(t *testing.T) {
	for name, issuer := range map[string]string{"at the root": "", "below /oauth": "/oauth"} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, func(o *oauth.Options) { o.Issuer += issuer })
			ctx := oidc.ClientContext(t.Context(), s.client)
			provider, err := oidc.NewProvider(ctx, s.url+issuer)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []oauth2.Config{
				{ClientID: "console", ClientSecret: "s3cret", RedirectURL: redirectURI},
				{ClientID: "cli", RedirectURL: "http://127.0.0.1:12345/cb"},
			} {
				c.Endpoint, c.Scopes = provider.Endpoint(), []string{oidc.ScopeOpenID, "profile", "email"}
				standardLogin(ctx, t, s, provider, &c)
			}
		})
	}
}

// standardLogin is one login, one request, a refresh, and a refresh token used twice.
func standardLogin(ctx context.Context, t *testing.T, s *server, provider *oidc.Provider, c *oauth2.Config) {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	b := s.browser()
	page := b.do("GET", c.AuthCodeURL("a state", oidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier))[len(s.url):], nil, b.headers()...)
	back := b.send(formOf(b.keep(page), "username", "alice", "password", password, "answer", "yes"))
	if back.to == nil || back.to.Query().Get("state") != "a state" {
		t.Fatalf("%d %v %s", back.code, back.to, page.body)
	}
	got, err := c.Exchange(ctx, back.to.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := got.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: c.ClientID}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != "alice" || id.Nonce != "a nonce" || id.VerifyAccessToken(got.AccessToken) != nil {
		t.Errorf("%+v", id)
	}
	info, err := provider.UserInfo(ctx, c.TokenSource(ctx, got))
	if err != nil || info.Subject != "alice" || info.Email != "alice@example.com" {
		t.Errorf("%+v, %v", info, err)
	}
	old := &oauth2.Token{RefreshToken: got.RefreshToken}
	fresh, err := c.TokenSource(ctx, old).Token()
	if err != nil || fresh.AccessToken == got.AccessToken || fresh.RefreshToken == got.RefreshToken {
		t.Fatalf("%+v, %v", fresh, err)
	}
	s.alive("refreshed", fresh.AccessToken, true)
	if _, err := c.TokenSource(ctx, old).Token(); err == nil {
		t.Error("a refresh token is good twice")
	}
	s.alive("after a refresh token came twice", fresh.AccessToken, false)
}
