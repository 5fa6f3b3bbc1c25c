package authn_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posternhq/postern/gateway/authn"
)

// sign makes a token of any claims.
func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestBearer(t *testing.T) {
	now := time.Now().Unix()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	long := append(append([]byte(nil), secret...), make([]byte, 64)...)
	with := func(more ...any) map[string]any {
		c := map[string]any{"iss": "kubesphere", "username": "alice", "token_type": "access_token", "iat": now, "exp": now + 60}
		for i := 0; i < len(more); i += 2 {
			if more[i+1] == nil {
				delete(c, more[i].(string))
			} else {
				c[more[i].(string)] = more[i+1]
			}
		}
		return c
	}
	hs := func(more ...any) string { return sign(t, jose.HS256, secret, with(more...)) }
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(hs(), ".")[1] + "."
	s := authn.New(options(people()))
	for _, c := range []struct{ name, token, reason string }{
		{"good", hs(), ""},
		{"sub instead of username", hs("username", nil, "sub", "alice"), ""},
		{"just expired, within the skew", hs("exp", now-5), ""},
		{"issued by a clock ahead, within the skew", hs("iat", now+5), ""},
		{"static", hs("token_type", "static_token", "exp", nil), ""},
		{"expires in the far future", hs("exp", int64(1)<<40), ""},
		{"of a locked user", hs("username", "lisa"), ""},
		{"expired", hs("exp", now-60), "expired"},
		{"not valid yet", hs("nbf", now+60), "not valid yet"},
		{"issued in the future", hs("iat", now+60), "issued in the future"},
		{"another issuer", hs("iss", "somebody"), "invalid issuer"},
		{"no issuer", hs("iss", nil), "invalid issuer"},
		{"without end", hs("exp", nil), "without exp"},
		{"static, expired", hs("token_type", "static_token", "exp", now-60), "expired"},
		{"refresh token", hs("token_type", "refresh_token"), "not an access token"},
		{"code", hs("token_type", "code"), "not an access token"},
		{"id token", hs("token_type", "id_token"), "not an access token"},
		{"no type", hs("token_type", nil), "not an access token"},
		{"unknown user", hs("username", "bob"), "no such user"},
		{"no user", hs("username", nil), "no such user"},
		{"disabled user", hs("username", "dora"), "user is not active"},
		{"another secret", sign(t, jose.HS256, []byte(strings.Repeat("x", 32)), with()), "cannot verify token"},
		{"HS512", sign(t, jose.HS512, long, with()), "cannot parse token"},
		{"RS256", sign(t, jose.RS256, rsaKey, with()), "cannot parse token"},
		{"none", none, "cannot parse token"},
		{"cut off", hs()[:len(hs())-2], "token"},
		{"not a token", "x", "cannot parse token"},
		{"name as a list", hs("username", []string{"alice"}), "cannot verify token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the second time from the cache
				a := ask(s, "/api", "Authorization", "bearer "+c.token)
				if c.reason != "" {
					refused(t, a, c.reason)
				} else if a.user == nil || a.user.Method != authn.Bearer {
					t.Fatalf("user %+v, %s", a.user, a.reason)
				}
			}
		})
	}
}

func TestTokensFollowTheUser(t *testing.T) {
	u := people()
	s := authn.New(options(u))
	token, err := authn.IssueToken(secret, authn.Token{Username: "alice", Issuer: "kubesphere", Life: time.Minute, Extra: map[string][]string{"k": {"v"}}})
	if err != nil {
		t.Fatal(err)
	}
	request := func() answer { return ask(s, "/api", "Authorization", "Bearer "+token) }
	first, again := request(), request()
	if first.user == nil || first.user != again.user || first.user.Extra["k"][0] != "v" || first.user.UID != "u-1" {
		t.Fatalf("%+v, then %+v", first.user, again.user)
	}
	a := *u.Account("alice")
	a.Groups = []string{"ops"}
	u.put(a)
	if got := request().user; got == nil || got.Groups[0] != "ops" || got.Extra["k"][0] != "v" {
		t.Errorf("after a change of groups: %+v", got)
	}
	a.State = authn.Disabled
	u.put(a)
	refused(t, request(), "user is not active")
	a.State = authn.Active
	u.put(a)
	if request().user == nil {
		t.Error("not let in after being enabled")
	}
	u.remove("alice")
	refused(t, request(), "no such user")
}

func TestSecrets(t *testing.T) {
	if _, err := authn.IssueToken(nil, authn.Token{Username: "alice"}); err == nil {
		t.Error("signed without a secret")
	}
	o := options(people())
	o.Secret, o.MaxAge = []byte("short"), 0
	token, err := authn.IssueToken(o.Secret, authn.Token{Username: "alice", Issuer: "kubesphere"})
	if err != nil {
		t.Fatal(err)
	}
	if a := ask(authn.New(o), "/api", "Authorization", "Bearer "+token); a.user == nil {
		t.Errorf("short secret: %s", a.reason)
	}
	// What a zero-padded key must not mean: no secret at all is no key of zeros.
	zeros, err := authn.IssueToken(make([]byte, 32), authn.Token{Username: "alice", Issuer: "kubesphere"})
	if err != nil {
		t.Fatal(err)
	}
	o.Secret = nil
	refused(t, ask(authn.New(o), "/api", "Authorization", "Bearer "+zeros), "cannot verify token")
}
