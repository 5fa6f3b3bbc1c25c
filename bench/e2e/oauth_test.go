package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// TestStandardClients has golang.org/x/oauth2 and go-oidc log in at a gateway by its page, and use what they get: an id token that
// the published key verifies, an access token for the API, a refresh token that ends the session when it comes twice.
func TestStandardClients(t *testing.T) {
	const app = "https://app.example/callback"
	port := freePort(t)
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	startGateway(t, fmt.Sprintf(`{postern: {listen: {address: "127.0.0.1:%d"}}, authentication: {multipleLogin: true, oauthOptions: {issuer: %q, clients: [`+
		`{name: app, secret: the app's secret, redirectURIs: [%q]}, {name: cli, redirectURIs: ["http://127.0.0.1/cb"]}]}}}`, port, base, app))
	plain := client(t)
	ctx := oidc.ClientContext(t.Context(), plain)
	var provider *oidc.Provider
	until(t, "the gateway to have keys and users", func() (ok bool) {
		var err error
		provider, err = oidc.NewProvider(ctx, base)
		code, _, _ := (&browser{t: t, c: plain}).get(base + "/readyz")
		return err == nil && code == http.StatusOK
	})
	for _, c := range []*oauth2.Config{
		{ClientID: "app", ClientSecret: "the app's secret", RedirectURL: app},
		{ClientID: "cli", RedirectURL: "http://127.0.0.1:12345/cb"},
	} {
		c.Endpoint, c.Scopes = provider.Endpoint(), []string{oidc.ScopeOpenID, "profile"}
		verifier := oauth2.GenerateVerifier()
		back := loginByPage(t, c.AuthCodeURL("a state", oidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier)))
		if !strings.HasPrefix(back.String(), c.RedirectURL+"?") || back.Query().Get("state") != "a state" {
			t.Fatalf("%s: the browser goes to %s", c.ClientID, back)
		}
		if _, err := c.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier())); err == nil {
			t.Errorf("%s: a code is good with another verifier", c.ClientID)
		}
		got, err := c.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			t.Fatal(err)
		}
		useLogin(ctx, t, base, provider, c, got)
	}
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// loginByPage has a browser without scripts send the form of the login page, and says where that leads.
func loginByPage(t *testing.T, address string) *url.URL {
	t.Helper()
	b := &browser{t: t, c: client(t)}
	b.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.c.Jar, _ = cookiejar.New(nil)
	code, header, page := b.get(address)
	if code != http.StatusOK || !strings.Contains(header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
		t.Fatalf("the page: %d %v %s", code, header, page)
	}
	form := url.Values{"username": {"alice"}, "password": {userPassword(t, "alice")}, "answer": {"yes"}}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], strings.NewReplacer("&amp;", "&", "&#34;", `"`, "&#39;", "'").Replace(m[2]))
	}
	resp, err := b.c.PostForm(address[:strings.Index(address, "?")], form)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	to, err := resp.Location()
	if err != nil || resp.StatusCode != http.StatusSeeOther {
		t.Fatalf("the form: %s %v", resp.Status, err)
	}
	return to
}

// useLogin verifies, asks, refreshes, and refreshes once too often.
func useLogin(ctx context.Context, t *testing.T, base string, provider *oidc.Provider, c *oauth2.Config, got *oauth2.Token) {
	t.Helper()
	raw, _ := got.Extra("id_token").(string)
	id, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: c.ClientID}).Verify(ctx, raw)
	if err != nil || id.Subject != "alice" || id.Nonce != "a nonce" || id.VerifyAccessToken(got.AccessToken) != nil {
		t.Fatalf("%s: id token %+v, %v", c.ClientID, id, err)
	}
	asked := func(token string) int {
		t.Helper()
		resp, err := c.Client(ctx, &oauth2.Token{AccessToken: token}).Get(base + "/api/v1/namespaces/demo-shop/pods")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	if code := asked(got.AccessToken); code != http.StatusOK {
		t.Errorf("%s: the API answers the access token %d", c.ClientID, code)
	}
	for name, token := range map[string]string{"refresh": got.RefreshToken, "id": raw} {
		if code := asked(token); code != http.StatusUnauthorized {
			t.Errorf("%s: the API answers the %s token %d", c.ClientID, name, code)
		}
	}
	old := &oauth2.Token{RefreshToken: got.RefreshToken}
	fresh, err := c.TokenSource(ctx, old).Token()
	if err != nil || asked(fresh.AccessToken) != http.StatusOK {
		t.Fatalf("%s: cannot refresh: %v", c.ClientID, err)
	}
	if _, err := c.TokenSource(ctx, old).Token(); err == nil {
		t.Errorf("%s: a refresh token is good twice", c.ClientID)
	}
	if code := asked(fresh.AccessToken); code != http.StatusUnauthorized {
		t.Errorf("%s: after a refresh token came twice the API answers %d", c.ClientID, code)
	}
}
