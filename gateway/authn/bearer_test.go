package authn_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/token"
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
		{"for somebody else", hs("aud", "another"), "somebody else"},
		{"for the issuer", hs("aud", []string{"kubesphere"}), ""},
		{"without end", hs("exp", nil), "without exp"},
		{"static, expired", hs("token_type", "static_token", "exp", now-60), "expired"},
		{"refresh token", hs("token_type", "refresh_token"), "token of another kind"},
		{"code", hs("token_type", "code"), "token of another kind"},
		{"id token", hs("token_type", "id_token"), "token of another kind"},
		{"no type", hs("token_type", nil), "token of another kind"},
		{"unknown user", hs("username", "bob"), "no such user"},
		{"no user", hs("username", nil), "no such user"},
		{"disabled user", hs("username", "dora"), "user is not active"},
		{"another secret", sign(t, jose.HS256, []byte(strings.Repeat("x", 32)), with()), "cannot verify token"},
		{"HS512", sign(t, jose.HS512, long, with()), "cannot parse token"},
		{"RS256", sign(t, jose.RS256, rsaKey, with()), "cannot verify token"},
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
	o := options(u)
	s := authn.New(o)
	text, err := o.Keys.Keys().Sign(&token.Claims{Kind: token.Static, Username: "alice", Extra: map[string][]string{"k": {"v"}}})
	if err != nil {
		t.Fatal(err)
	}
	request := func() answer { return ask(s, "/api", "Authorization", "Bearer "+text) }
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
	a.State = account.Disabled
	u.put(a)
	refused(t, request(), "user is not active")
	a.State = account.Active
	u.put(a)
	if request().user == nil {
		t.Error("not let in after being enabled")
	}
	u.remove("alice")
	refused(t, request(), "no such user")
}

func TestShortSecrets(t *testing.T) {
	o := options(people())
	o.Keys, o.MaxAge = ring(token.Options{Secret: []byte("short"), Issuer: "kubesphere"}), 0
	if a := ask(authn.New(o), "/api", "Authorization", "Bearer "+issue(o.Keys, "alice", 0)); a.user == nil {
		t.Errorf("short secret: %s", a.reason)
	}
}

func TestWithoutKeysTokensAreNotRefusedForGood(t *testing.T) {
	o := options(people())
	text := issue(o.Keys, "alice", time.Minute)
	o.Keys = new(token.Ring)
	a := ask(authn.New(o), "/api", "Authorization", "Bearer "+text)
	if a.user != nil || a.resp.StatusCode() != 503 || string(a.resp.Header.Peek("Retry-After")) == "" {
		t.Errorf("user %+v, %s", a.user, a.resp)
	}
}

// sessions are ended by tests.
type sessions struct {
	epoch atomic.Uint64
	ended sync.Map // by session
}

func (s *sessions) Epoch() uint64 { return s.epoch.Load() }

func (s *sessions) Ended(_, session string, _ time.Time) bool {
	_, ended := s.ended.Load(session)
	return ended
}

func (s *sessions) end(session string) {
	s.ended.Store(session, true)
	s.epoch.Add(1)
}

func TestEndedSessionsAreRefusedAtOnce(t *testing.T) {
	o, ended := options(people()), new(sessions)
	o.Sessions = ended
	s := authn.New(o)
	request := func(session string) answer {
		text, err := o.Keys.Keys().Sign(&token.Claims{Kind: token.Static, Username: "alice", Session: session, Claims: jwt.Claims{IssuedAt: jwt.NewNumericDate(time.Unix(1, 0)), ID: "1"}})
		if err != nil {
			t.Fatal(err)
		}
		return ask(s, "/api", "Authorization", "Bearer "+text)
	}
	for _, session := range []string{"a", "b"} {
		if a := request(session); a.user == nil || a.user.Session != session {
			t.Fatalf("%s: %s: %+v", session, a.reason, a.user)
		}
	}
	ended.end("a")
	for range 2 {
		refused(t, request("a"), "session has ended")
		if a := request("b"); a.user == nil {
			t.Errorf("another session: %s", a.reason)
		}
	}
	s = authn.New(o) // a reload
	refused(t, request("a"), "session has ended")
}

// A reload must neither forget what was verified nor keep what it would refuse.
func TestReloads(t *testing.T) {
	o := options(people())
	o.Cache = new(authn.Cache)
	endless, good := issue(o.Keys, "alice", 0), issue(o.Keys, "sly", time.Hour)
	request := func(o authn.Options, text string) answer {
		return ask(authn.New(o), "/api", "Authorization", "Bearer "+text)
	}
	allowed := o
	allowed.MaxAge = 0
	if a := request(allowed, endless); a.user == nil {
		t.Fatal(a.reason)
	}
	refused(t, request(o, endless), "without exp")
	first := request(o, good)
	if first.user == nil || slices.Contains(first.user.Groups, "postern:decided") {
		t.Fatalf("%+v", first)
	}
	other := o
	other.ReservedGroups = []string{"ops"}
	if a := request(other, good); a.user == nil || slices.Contains(a.user.Groups, "ops") || !slices.Contains(a.user.Groups, "postern:decided") {
		t.Errorf("with other reserved groups: %+v", a.user)
	}
	same, err := token.New(token.Options{Secret: secret, Issuer: "kubesphere", Skew: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	before := o.Keys.Keys()
	o.Keys.Set(same)
	if o.Keys.Keys() != before {
		t.Error("a reload of the same keys has forgotten what was verified")
	}
	gone, err := token.New(token.Options{Secret: []byte(strings.Repeat("x", 32)), Issuer: "kubesphere"})
	if err != nil {
		t.Fatal(err)
	}
	o.Keys.Set(gone)
	refused(t, request(o, good), "cannot verify token")
}

// A gateway that has just started must not log out those whom it has not read yet, nor count their passwords as wrong.
func TestUsersThatHaveNotBeenRead(t *testing.T) {
	o := options(people())
	u := o.Users.(*users)
	alice := *u.Account("alice")
	u.remove("alice")
	read, count := false, &throttle{failed: map[string]int{}}
	o.Ready = func() error {
		if read {
			return nil
		}
		return errors.New("not answered yet")
	}
	o.Logins = login.New(login.Options{Users: u, Ready: o.Ready, Throttle: count})
	o.Certificates.Enabled = true
	s := authn.New(o)
	requests := map[string]func() answer{
		"token":       func() answer { return ask(s, "/api", "Authorization", "Bearer "+issue(o.Keys, "alice", time.Hour)) },
		"password":    func() answer { return ask(s, "/api", "Authorization", basicAuth("alice", "P@ss:word")) },
		"certificate": func() answer { return over(s, shown(leaf("alice"), true), "") },
	}
	for name, request := range requests {
		if a := request(); a.user != nil || a.resp.StatusCode() != 503 || len(a.resp.Header.Peek("Retry-After")) == 0 {
			t.Errorf("%s before: %+v, %s", name, a.user, a.resp)
		}
	}
	if len(count.failed) != 0 {
		t.Errorf("counted %v", count.failed)
	}
	u.put(alice)
	for name, request := range requests {
		if a := request(); a.user == nil {
			t.Errorf("%s of one who has been read: %s", name, a.reason)
		}
	}
	u.remove("alice")
	read = true
	refused(t, requests["token"](), "no such user")
	refused(t, requests["password"](), "wrong user name or password")
}
