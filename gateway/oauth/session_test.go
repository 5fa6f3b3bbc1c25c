package oauth_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/oauth"
	"github.com/posternhq/postern/gateway/token"
)

func TestUserInfo(t *testing.T) {
	s := serve(t, nil)
	bearer := "Bearer " + s.login("alice").field("access_token")
	for _, a := range []answer{s.get("/oauth/userinfo", "Authorization", bearer), s.do("POST", "/oauth/userinfo", nil, "Authorization", bearer)} {
		for key, want := range map[string]string{"sub": "alice", "name": "Alice A.", "email": "alice@example.com", "locale": "en", "preferred_username": "alice"} {
			if a.field(key) != want {
				t.Errorf("%s: %s", key, a.body)
			}
		}
	}
	if a := s.get("/oauth/userinfo"); a.code != 401 || a.field("error") != "login_required" || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("anonymous: %d %s", a.code, a.body)
	}
}

// TestLogoutEndsOneSession: that of the token which asks.
func TestLogoutEndsOneSession(t *testing.T) {
	s := serve(t, nil)
	first, second := s.login("alice"), s.login("alice")
	a := s.get("/oauth/logout", "Authorization", "Bearer "+first.field("access_token"))
	if a.code != 200 || a.body != `{"message":"success"}`+"\n" {
		t.Fatalf("%d %s", a.code, a.body)
	}
	s.alive("logged out", first.field("access_token"), false)
	if a := s.post("/oauth/token", refreshForm(first.field("refresh_token"))); a.code != 400 {
		t.Errorf("refreshed after the logout: %d", a.code)
	}
	s.alive("the other session", second.field("access_token"), true)
	if a := s.get("/oauth/logout", "Authorization", basic("alice")); a.code != 200 {
		t.Errorf("%d %s", a.code, a.body)
	}
	s.alive("after a logout by password, which has no session", second.field("access_token"), false)
	if a := s.get("/oauth/logout"); a.code != 200 {
		t.Errorf("nobody: %d %s", a.code, a.body)
	}
}

func TestLogoutOfABrowser(t *testing.T) {
	s := serve(t, nil)
	a := s.post("/oauth/token", codeForm(s.code(authorizeQuery())))
	hint := a.field("id_token")
	bob := "Bearer " + s.login("bob").field("access_token")
	const bye = "https://console.example.com/bye"
	for _, c := range []struct {
		name    string
		query   url.Values
		headers []string
	}{
		{"of another user", values("id_token_hint", hint), []string{"Authorization", bob}},
		{"no id token", values("id_token_hint", a.field("access_token")), nil},
		{"another client", values("id_token_hint", hint, "client_id", "other"), nil},
		{"unknown client", values("client_id", "nobody"), nil},
		{"the client of another URI", values("id_token_hint", hint, "post_logout_redirect_uri", "https://other.example.com/"), nil},
		{"not registered", values("id_token_hint", hint, "post_logout_redirect_uri", bye+"/x"), nil},
	} {
		if a := s.get("/oauth/logout?"+c.query.Encode(), c.headers...); a.code != 400 || a.to != nil {
			t.Errorf("%s: %d %v", c.name, a.code, a.to)
		}
	}
	s.alive("nothing of that has ended it", a.field("access_token"), true)
	out := s.post("/oauth/logout", values("id_token_hint", hint, "post_logout_redirect_uri", bye, "state", "a b", "client_id", "console"))
	if out.code != 303 || out.to.String() != bye+"?state=a+b" {
		t.Errorf("%d %v", out.code, out.to)
	}
	s.alive("logged out", a.field("access_token"), false)
}

// TestExpiredHintIsAHint: a browser logs out long after its id token has expired.
func TestExpiredHintIsAHint(t *testing.T) {
	s := serve(t, nil)
	a := s.login("alice")
	claims := claimsOf(t, a.field("access_token"))
	c := &token.Claims{Kind: token.ID, Username: "alice", Session: claims["sid"].(string)}
	c.Subject, c.Audience = "alice", []string{"console"}
	c.IssuedAt = numeric(-10 * 3600)
	c.Expiry = numeric(-9 * 3600)
	hint, err := s.ring.Keys().Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	if out := s.get("/oauth/logout?" + values("id_token_hint", hint).Encode()); out.code != 200 {
		t.Errorf("%d %s", out.code, out.body)
	}
	s.alive("logged out", a.field("access_token"), false)
}

func TestDiscovery(t *testing.T) {
	for _, c := range []struct{ issuer, base, root string }{
		{"https://gw.example.com", "https://gw.example.com/oauth", "yes"},
		{"https://gw.example.com/", "https://gw.example.com/oauth", "yes"},
		{"https://gw.example.com/oauth", "https://gw.example.com/oauth", ""},
		{"https://gw.example.com/ks", "https://gw.example.com/ks/oauth", "yes"},
		{"kubesphere", "", ""},
		{"ftp://gw.example.com", "", ""},
		{"https://gw.example.com?x", "", ""},
	} {
		s := serve(t, func(o *oauth.Options) { o.Issuer = c.issuer })
		a, root := s.get("/oauth/.well-known/openid-configuration"), s.get("/.well-known/openid-configuration")
		if (root.code == 200) != (c.root != "") || c.root != "" && root.body != a.body {
			t.Errorf("%s at the root: %d %s", c.issuer, root.code, root.body)
		}
		if c.base == "" {
			if a.code != 404 || a.field("error") == "" {
				t.Errorf("%s: %d %s", c.issuer, a.code, a.body)
			}
			continue
		}
		if a.code != 200 || a.field("issuer") != c.issuer || a.field("token_endpoint") != c.base+"/token" || a.field("jwks_uri") != c.base+"/keys" || a.header.Get("Cache-Control") == "no-store" {
			t.Errorf("%s: %d %s", c.issuer, a.code, a.body)
		}
	}
}

func TestMethodsAndPaths(t *testing.T) {
	s := serve(t, nil)
	for path, allow := range map[string]string{
		"/oauth/token": "POST", "/oauth/authenticate": "POST", "/oauth/keys": "GET, HEAD", "/oauth/authorize": "GET, HEAD, POST", "/oauth/callback/x": "GET, HEAD",
	} {
		if a := s.do("DELETE", path, nil); a.code != 405 || a.header.Get("Allow") != allow {
			t.Errorf("%s: %d %v", path, a.code, a.header)
		}
	}
	for _, path := range []string{"/oauth", "/oauth/", "/oauth/tokens", "/oauth/login", "/oauth/login/", "/oauth/callback/a/b", "/oauth/token/x", "/api"} {
		if a := s.get(path); a.code != 404 || a.body != "passed on" {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	if a := s.do("HEAD", "/oauth/keys", nil); a.code != 200 || a.body != "" {
		t.Errorf("HEAD: %d %q", a.code, a.body)
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(s.get("/oauth/keys").body), &set); err != nil || len(set.Keys) != 1 || set.Keys[0]["d"] != nil || set.Keys[0]["kid"] == "" {
		t.Errorf("%v %v", set, err)
	}
}

// TestDiscoveryTellsTheTruth: what the document offers works, and what it does not offer does not.
func TestDiscoveryTellsTheTruth(t *testing.T) {
	for _, implicit := range []bool{false, true} {
		s := serve(t, func(o *oauth.Options) { o.Implicit = implicit })
		var m struct {
			Responses  []string `json:"response_types_supported"`
			Grants     []string `json:"grant_types_supported"`
			Challenges []string `json:"code_challenge_methods_supported"`
			Auth       []string `json:"token_endpoint_auth_methods_supported"`
			Algorithms []string `json:"id_token_signing_alg_values_supported"`
		}
		if err := json.Unmarshal([]byte(s.get("/oauth/.well-known/openid-configuration").body), &m); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []string{"code", "token", "id_token"} {
			query := with(authorizeQuery(), "response_type", kind)
			a := s.get("/oauth/authorize?"+query.Encode(), "Authorization", basic("alice"))
			works := a.code == 302 && !strings.Contains(a.to.String(), "error=")
			if works != slices.Contains(m.Responses, kind) {
				t.Errorf("response type %s works: %v, offered: %v", kind, works, m.Responses)
			}
		}
		for _, grant := range []string{"authorization_code", "code", "password", "refresh_token", "client_credentials"} {
			a := s.post("/oauth/token", with(codeForm("x"), "grant_type", grant))
			if known := a.field("error") != "unsupported_grant_type"; known != slices.Contains(m.Grants, grant) {
				t.Errorf("grant %s is known: %v, offered: %v", grant, known, m.Grants)
			}
		}
		if !slices.Equal(m.Challenges, []string{"S256"}) || !slices.Equal(m.Auth, []string{"client_secret_basic", "client_secret_post", "none"}) || !slices.Equal(m.Algorithms, []string{"RS256"}) {
			t.Errorf("%+v", m)
		}
	}
}
