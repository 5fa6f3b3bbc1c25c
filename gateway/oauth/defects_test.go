package oauth_test

import (
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posternhq/postern/gateway/token"
)

// TestNoDefectsOfUpstream: what ks-apiserver 3.4.1 does wrong with logins, each by name.
func TestNoDefectsOfUpstream(t *testing.T) {
	for name, test := range map[string]func(t *testing.T, s *server){
		"a refresh token is no bearer token": func(t *testing.T, s *server) {
			s.alive("refresh token", s.login("alice").field("refresh_token"), false)
		},
		"a code is no bearer token": func(t *testing.T, s *server) {
			s.alive("code", s.code(authorizeQuery()), false)
		},
		"an id token is no bearer token": func(t *testing.T, s *server) {
			s.alive("id token", s.post("/oauth/token", codeForm(s.code(authorizeQuery()))).field("id_token"), false)
		},
		"a form's token is no bearer token": func(t *testing.T, s *server) {
			s.alive("form token", formOf(s.browser().open("/oauth/authorize?"+authorizeQuery().Encode())).Get("form_token"), false)
		},
		"an access token is no refresh token": func(t *testing.T, s *server) {
			denied(t, s.post("/oauth/token", refreshForm(s.login("alice").field("access_token"))))
		},
		"a refresh token is no code": func(t *testing.T, s *server) {
			denied(t, s.post("/oauth/token", codeForm(s.login("alice").field("refresh_token"))))
		},
		"a code is bound to its client": func(t *testing.T, s *server) {
			code := s.code(authorizeQuery())
			denied(t, s.post("/oauth/token", with(codeForm(code), "client_id", "other", "client_secret", "0ther")))
			granted(t, s.post("/oauth/token", codeForm(code)))
		},
		"a code is bound to its redirect URI": func(t *testing.T, s *server) {
			code := s.code(authorizeQuery())
			denied(t, s.post("/oauth/token", with(codeForm(code), "redirect_uri", redirectURI+"?x=1")))
			denied(t, s.post("/oauth/token", with(codeForm(code), "redirect_uri", "")))
			granted(t, s.post("/oauth/token", codeForm(code)))
		},
		"a code is bound to its challenge": func(t *testing.T, s *server) {
			code := s.code(authorizeQuery())
			denied(t, s.post("/oauth/token", with(codeForm(code), "code_verifier", "")))
			denied(t, s.post("/oauth/token", with(codeForm(code), "code_verifier", strings.ToUpper(verifier))))
			denied(t, s.post("/oauth/token", with(codeForm(code), "code_verifier", challenge())))
			granted(t, s.post("/oauth/token", codeForm(code)))
		},
		"a verifier without a challenge is a downgrade": func(t *testing.T, s *server) {
			denied(t, s.post("/oauth/token", codeForm(s.code(with(authorizeQuery(), "code_challenge", "", "code_challenge_method", "")))))
		},
		"a code is good once": func(t *testing.T, s *server) {
			code := s.code(authorizeQuery())
			granted(t, s.post("/oauth/token", codeForm(code)))
			denied(t, s.post("/oauth/token", codeForm(code)))
		},
		"authorization_code and code are the same grant": func(t *testing.T, s *server) {
			granted(t, s.post("/oauth/token", codeForm(s.code(authorizeQuery()))))
			granted(t, s.post("/oauth/token", with(codeForm(s.code(authorizeQuery())), "grant_type", "code")))
		},
		"the state comes back with the code": func(t *testing.T, s *server) {
			a := s.get("/oauth/authorize?"+authorizeQuery().Encode(), "Authorization", basic("alice"))
			if a.to.Query().Get("state") != "st&te=1" {
				t.Errorf("%v", a.to)
			}
		},
		"there is one redirect": func(t *testing.T, s *server) {
			a := s.get("/oauth/authorize?"+authorizeQuery().Encode(), "Authorization", basic("alice"))
			if len(a.header.Values("Location")) != 1 || a.to.Query().Get("code") == "" || a.to.Query().Get("error") != "" {
				t.Errorf("%v", a.header)
			}
		},
		"a logout redirects to no stranger": func(t *testing.T, s *server) {
			for _, uri := range []string{"https://evil.example.com/", "//evil.example.com", "javascript:alert(1)", "*", redirectURI + "#x"} {
				for _, client := range []string{"", "open"} { // whose * counts at authorize alone
					bearer := "Bearer " + s.login("alice").field("access_token")
					a := s.get("/oauth/logout?"+values("post_logout_redirect_uri", uri, "client_id", client).Encode(), "Authorization", bearer)
					if a.code != 400 || a.to != nil {
						t.Errorf("%q of %q: %d %v", uri, client, a.code, a.to)
					}
				}
			}
		},
		"a logout ends one session and not all": func(t *testing.T, s *server) {
			one, other := s.login("alice").field("access_token"), s.login("alice").field("access_token")
			s.get("/oauth/logout", "Authorization", "Bearer "+one)
			s.alive("the other", other, true)
		},
		"the id_token_hint is checked": func(t *testing.T, s *server) {
			if a := s.get("/oauth/logout?id_token_hint=x.y.z"); a.code != 400 {
				t.Errorf("%d", a.code)
			}
		},
		"the webhook says authenticated false": func(t *testing.T, s *server) {
			if r := s.review("v1", "not a token"); r.Status.Authenticated {
				t.Errorf("%+v", r)
			}
		},
		"the public key of id tokens is no secret of ours": func(t *testing.T, s *server) {
			der, err := x509.MarshalPKIXPublicKey(signer().Public())
			if err != nil {
				t.Fatal(err)
			}
			for _, key := range [][]byte{der, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), s.ring.Keys().JWKS()} {
				for _, kind := range []token.Kind{token.Access, token.ID} {
					s.alive("confused", forged(t, s, jose.SigningKey{Algorithm: jose.HS256, Key: key}, kind), false)
				}
			}
			s.alive("signed by the key of id tokens", forged(t, s, jose.SigningKey{Algorithm: jose.RS256, Key: signer()}, token.Access), false)
			hint := forged(t, s, jose.SigningKey{Algorithm: jose.HS256, Key: secret}, token.ID)
			if a := s.get("/oauth/logout?" + values("id_token_hint", hint).Encode()); a.code != 400 {
				t.Errorf("an id token signed with the secret: %d", a.code)
			}
		},
		"id tokens can be verified with the published key": func(t *testing.T, s *server) {
			text := s.post("/oauth/token", codeForm(s.code(authorizeQuery()))).field("id_token")
			signed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
			if err != nil {
				t.Fatal(err)
			}
			if err := signed.Claims(signer().Public(), new(jwt.Claims)); err != nil {
				t.Error(err)
			}
		},
		"a password is guessed a few times and no more": func(t *testing.T, s *server) {
			for range 3 {
				denied(t, s.post("/oauth/token", with(passwordForm("alice"), "password", "x")))
			}
			if a := s.post("/oauth/token", with(passwordForm("alice"), "password", "y")); a.code != 429 {
				t.Errorf("%d", a.code)
			}
		},
		"a callback belongs to the browser that left": func(t *testing.T, _ *server) {
			s, _, _ := serveProviders(t, nil)
			state := depart(s.browser())
			if a := s.browser().open("/oauth/callback/github?" + values("code", "good", "state", state).Encode()); a.code != 400 || a.to != nil {
				t.Errorf("%d %v", a.code, a.to)
			}
		},
	} {
		t.Run(name, func(t *testing.T) { test(t, serve(t, nil)) })
	}
}

func denied(t *testing.T, a answer) {
	t.Helper()
	if a.code != 400 || a.field("error") != "invalid_grant" {
		t.Errorf("%d %s", a.code, a.body)
	}
}

func granted(t *testing.T, a answer) {
	t.Helper()
	if a.code != 200 || a.field("access_token") == "" {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// forged is a token of alice that key has signed.
func forged(t *testing.T, s *server, key jose.SigningKey, kind token.Kind) string {
	t.Helper()
	sig, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithHeader("kid", kid(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	c := &token.Claims{Kind: kind, Username: "alice"}
	c.Issuer, c.Subject, c.IssuedAt, c.Expiry = s.url, "alice", numeric(0), numeric(3600)
	text, err := jwt.Signed(sig).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func kid(t *testing.T, s *server) string {
	t.Helper()
	_, rest, _ := strings.Cut(string(s.ring.Keys().JWKS()), `"kid":"`)
	id, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatal("no kid")
	}
	return id
}
