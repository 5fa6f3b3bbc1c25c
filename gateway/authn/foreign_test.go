package authn_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authn/oidc"
	"github.com/posternhq/postern/gateway/authn/review"
)

// issuer is an OpenID Connect issuer that may be down.
type issuer struct {
	*httptest.Server
	key  jose.JSONWebKey
	mu   sync.Mutex
	down bool
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: jose.JSONWebKey{Key: private, KeyID: "1", Algorithm: "ES256", Use: "sig"}}
	i.Server = httptest.NewServer(i)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{i.key.Public()}})
	default:
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": i.URL, "jwks_uri": i.URL + "/keys"})
	}
}

func (i *issuer) set(down bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.down = down
}

func (i *issuer) token(t *testing.T, user string, groups ...string) string {
	t.Helper()
	return "Bearer " + sign(t, jose.ES256, i.key, map[string]any{
		"iss": i.URL, "sub": user, "aud": "console", "exp": time.Now().Unix() + 600, "groups": groups,
	})
}

// trusted is i as a configuration without prefixes has it.
func trusted(t *testing.T, i *issuer) *oidc.Issuer {
	t.Helper()
	known, err := oidc.New(oidc.Options{URL: i.URL, Audiences: []string{"console"}, UsernameClaim: "sub", GroupsClaim: "groups"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(known.Close)
	return known
}

func TestTokensOfAnotherIssuer(t *testing.T) {
	i := newIssuer(t)
	o := options(people())
	o.Cache = new(authn.Cache)
	refused(t, ask(authn.New(o), "/api", "Authorization", i.token(t, "erin")), "cannot verify token")
	o.Issuers = []*oidc.Issuer{trusted(t, i)}
	s, text := authn.New(o), i.token(t, "erin", "devs", "system:masters", "postern:decided")
	a := ask(s, "/api", "Authorization", text)
	if a.user == nil || a.user.Name != "erin" || a.user.UID != "erin" || a.user.Method != authn.OIDC || !slices.Equal(a.user.Groups, []string{"devs", "system:authenticated"}) {
		t.Fatalf("%+v: %s", a.user, a.reason)
	}
	i.set(true)
	again := ask(s, "/api", "Authorization", text)
	reloaded := ask(authn.New(o), "/api", "Authorization", text)
	if again.user != a.user || reloaded.user == nil {
		t.Errorf("again %+v, after a reload %+v: %s", again.user, reloaded.user, reloaded.reason)
	}
	o.Issuers = nil
	refused(t, ask(authn.New(o), "/api", "Authorization", text), "cannot verify token")
}

// A name that is both the issuer's and ours is one user: who is disabled here does not come in through the issuer.
func TestDisabledUsersStayOut(t *testing.T) {
	i := newIssuer(t)
	o := options(people())
	o.Issuers = []*oidc.Issuer{trusted(t, i)}
	s := authn.New(o)
	refused(t, ask(s, "/api", "Authorization", i.token(t, "dora")), "user is not active")
	text := i.token(t, "alice")
	if a := ask(s, "/api", "Authorization", text); a.user == nil {
		t.Fatal(a.reason)
	}
	u := o.Users.(*users)
	a := *u.Account("alice")
	a.State = account.Disabled
	u.put(a)
	refused(t, ask(s, "/api", "Authorization", text), "user is not active")
}

func TestADeadIssuerHoldsUpNobodyElse(t *testing.T) {
	dead, alive := newIssuer(t), newIssuer(t)
	dead.set(true)
	o := options(people())
	o.Issuers = []*oidc.Issuer{trusted(t, dead), trusted(t, alive)}
	s := authn.New(o)
	a := ask(s, "/api", "Authorization", dead.token(t, "erin"))
	if a.user != nil || a.resp.StatusCode() != 503 || len(a.resp.Header.Peek("Retry-After")) == 0 {
		t.Errorf("%+v, %s", a.user, a.resp)
	}
	for _, text := range []string{alive.token(t, "erin"), "Bearer " + issue(o.Keys, "alice", time.Minute)} {
		if a := ask(s, "/api", "Authorization", text); a.user == nil {
			t.Error(a.reason)
		}
	}
}

// apiserver answers reviews of tokens: those that it knows are of service accounts.
type apiserver struct {
	mu    sync.Mutex
	known map[string]string // token → name
	asked int
	down  bool
}

func (s *apiserver) Create(_ context.Context, _ string, object, into any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.down {
		return errors.New("connection refused")
	}
	var sent struct{ Spec struct{ Token string } }
	text, err := json.Marshal(object)
	if err == nil {
		err = json.Unmarshal(text, &sent)
	}
	if err != nil {
		return err
	}
	name := s.known[sent.Spec.Token]
	groups := []string{"system:serviceaccounts", "system:authenticated", "postern:decided"}
	answer, err := json.Marshal(map[string]any{"status": map[string]any{
		"authenticated": name != "", "user": map[string]any{"username": name, "groups": groups},
	}})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, into)
}

// podToken looks like a service account's token; its signature is nobody's.
func podToken(name string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(`{"iss":"https://kubernetes.default.svc","sub":"`+name+`"}`)) + ".eA"
}

func TestServiceAccounts(t *testing.T) {
	const name = "system:serviceaccount:ns:builder"
	text := podToken(name)
	server := &apiserver{known: map[string]string{text: name}}
	o := options(people())
	o.Cache = new(authn.Cache)
	refused(t, ask(authn.New(o), "/api", "Authorization", "Bearer "+text), "cannot verify token")
	o.Reviewer = review.New(server, nil)
	s := authn.New(o)
	for range 5 {
		a := ask(s, "/api", "Authorization", "Bearer "+text)
		if a.user == nil || a.user.Name != name || a.user.Method != authn.ServiceAccount || !slices.Equal(a.user.Groups, []string{"system:serviceaccounts", "system:authenticated"}) {
			t.Fatalf("%+v: %s", a.user, a.reason)
		}
		s = authn.New(o) // a reload
	}
	for _, rubbish := range []string{"x", "a.b.c", strings.Replace(issue(o.Keys, "alice", time.Minute), ".", ".A", 1), podToken("alice")} {
		if a := ask(s, "/api", "Authorization", "Bearer "+rubbish); a.user != nil {
			t.Errorf("%s: %+v", rubbish, a.user)
		}
	}
	if server.asked != 1 {
		t.Errorf("asked %d times", server.asked)
	}
	refused(t, ask(s, "/api", "Authorization", "Bearer "+podToken(name+"-2")), "does not know the token")
	server.down = true
	if a := ask(s, "/api", "Authorization", "Bearer "+podToken(name+"-3")); a.user != nil || a.resp.StatusCode() != 503 {
		t.Errorf("%+v, %s", a.user, a.resp)
	}
	o.Reviewer = nil
	refused(t, ask(authn.New(o), "/api", "Authorization", "Bearer "+text), "cannot verify token")
}

func TestLookupOfServiceAccounts(t *testing.T) {
	o := options(people())
	o.Reviewer = review.New(&apiserver{}, nil)
	u, err := authn.New(o).Lookup("system:serviceaccount:ns:builder")
	if err != nil || !slices.Equal(u.Groups, []string{"system:serviceaccounts", "system:serviceaccounts:ns", "system:authenticated"}) {
		t.Errorf("%+v, %v", u, err)
	}
	for _, name := range []string{"system:serviceaccount:ns", "system:serviceaccount::x", "system:serviceaccount:ns:", "ns:builder"} {
		if u, err := authn.New(o).Lookup(name); err == nil {
			t.Errorf("%s: %+v", name, u)
		}
	}
	o.Reviewer = nil
	if u, err := authn.New(o).Lookup("system:serviceaccount:ns:builder"); err == nil {
		t.Errorf("where their tokens are not good: %+v", u)
	}
}
