package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// provider is an issuer that answers as tests want.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	keys   []jose.JSONWebKey
	issuer string // what it says that it is
	jwks   string // where it says that its keys are
	asked  int
	down   bool
}

func newProvider(t *testing.T, keys ...jose.JSONWebKey) *provider {
	t.Helper()
	p := &provider{keys: keys}
	p.Server = httptest.NewTLSServer(p)
	t.Cleanup(p.Close)
	p.issuer, p.jwks = p.URL, p.URL+"/keys"
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.down:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Path == "/.well-known/openid-configuration":
		p.asked++
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.issuer, "jwks_uri": p.jwks})
	case r.URL.Path == "/keys":
		public := jose.JSONWebKeySet{}
		for _, k := range p.keys {
			public.Keys = append(public.Keys, k.Public())
		}
		text, _ := json.Marshal(public)
		// A key of a kind that nobody knows must not spoil the others.
		fmt.Fprint(w, strings.Replace(string(text), `[`, `[{"kty":"new","kid":"x"},`, 1))
	case r.URL.Path == "/elsewhere":
		http.Redirect(w, r, "https://example.invalid/keys", http.StatusFound)
	}
}

func (p *provider) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// options trust p.
func (p *provider) options() Options {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw})
	return Options{URL: p.URL, Audiences: []string{"console"}, UsernameClaim: "sub", UsernamePrefix: "x:", GroupsClaim: "groups", GroupsPrefix: "x:", CA: ca, Skew: 10 * time.Second}
}

func issuer(t *testing.T, o Options) *Issuer {
	t.Helper()
	i, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func ec(t *testing.T, kid string) jose.JSONWebKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

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

func TestVerify(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, other := ec(t, "e"), jose.JSONWebKey{Key: private, KeyID: "r", Algorithm: "RS256"}
	p := newProvider(t, key, other)
	now := time.Now().Unix()
	with := func(more ...any) map[string]any {
		c := map[string]any{"iss": p.URL, "sub": "alice", "aud": "console", "exp": now + 60, "iat": now, "groups": []string{"devs"}}
		for i := 0; i < len(more); i += 2 {
			if c[more[i].(string)] = more[i+1]; more[i+1] == nil {
				delete(c, more[i].(string))
			}
		}
		return c
	}
	es := func(more ...any) string { return sign(t, jose.ES256, key, with(more...)) }
	email := func(o *Options) { o.UsernameClaim = "email" }
	bare := func(o *Options) { o.UsernamePrefix, o.GroupsClaim = "", "" }
	for _, c := range []struct {
		name, token  string
		change       func(*Options)
		want, reason string
	}{
		{"EC", es(), nil, "x:alice [x:devs]", ""},
		{"RSA", sign(t, jose.RS256, other, with()), nil, "x:alice [x:devs]", ""},
		{"no kid", sign(t, jose.ES256, key.Key, with()), nil, "x:alice [x:devs]", ""},
		{"several audiences", es("aud", []string{"a", "console"}), nil, "x:alice [x:devs]", ""},
		{"one group", es("groups", "devs"), nil, "x:alice [x:devs]", ""},
		{"no groups", es("groups", nil), nil, "x:alice []", ""},
		{"without prefix", es(), bare, "alice []", ""},
		{"within the skew", es("exp", now-5), nil, "x:alice [x:devs]", ""},
		{"e-mail", es("email", "a@b", "email_verified", true), email, "x:a@b [x:devs]", ""},
		{"e-mail, nothing said", es("email", "a@b"), email, "x:a@b [x:devs]", ""},
		{"e-mail that is not verified", es("email", "a@b", "email_verified", false), email, "", "not verified"},
		{"e-mail that is hardly verified", es("email", "a@b", "email_verified", "true"), email, "", "not verified"},
		{"a name of Kubernetes", es("sub", "system:admin"), bare, "", "Kubernetes itself"},
		{"expired", es("exp", now-60), nil, "", "expired"},
		{"without end", es("exp", nil), nil, "", "without exp"},
		{"not yet", es("nbf", now+60), nil, "", "not valid yet"},
		{"of the future", es("iat", now+60), nil, "", "issued in the future"},
		{"another issuer", es("iss", "https://example.com"), nil, "", "invalid issuer"},
		{"another audience", es("aud", "other"), nil, "", "somebody else"},
		{"no audience", es("aud", nil), nil, "", "somebody else"},
		{"no name", es("sub", nil), nil, "", "without a name"},
		{"a name that is none", es("sub", "alice", "email", 7), email, "", "without a name"},
		{"groups that are none", es("groups", 7), nil, "", "cannot read groups"},
		{"another key with that kid", sign(t, jose.ES256, ec(t, "e"), with()), nil, "", "no key"},
		{"another algorithm of the key", sign(t, jose.RS512, jose.JSONWebKey{Key: private, KeyID: "r"}, with()), nil, "", "no key"},
		{"a shared secret", sign(t, jose.HS256, make([]byte, 32), with()), nil, "", "cannot parse"},
		{"rubbish", "a.b.c", nil, "", "cannot parse"},
	} {
		o := p.options()
		if c.change != nil {
			c.change(&o)
		}
		id, err := issuer(t, o).Verify(t.Context(), c.token)
		switch {
		case c.reason != "" && (err == nil || !strings.Contains(err.Error(), c.reason)):
			t.Errorf("%s: %+v, %v", c.name, id, err)
		case c.reason == "" && (err != nil || fmt.Sprint(id.Name, " ", id.Groups) != c.want):
			t.Errorf("%s: %+v, %v", c.name, id, err)
		}
	}
}

func good(t *testing.T, p *provider, key jose.JSONWebKey) string {
	return sign(t, jose.ES256, key, map[string]any{"iss": p.URL, "sub": "alice", "aud": "console", "exp": time.Now().Unix() + 3600})
}

// Whoever sends rubbish must not have the issuer asked more often than it should be.
func TestUnknownKeysAreAskedForOnce(t *testing.T) {
	key, next := ec(t, "1"), ec(t, "2")
	p := newProvider(t, key)
	i := issuer(t, p.options())
	for range 20 {
		if _, err := i.Verify(t.Context(), good(t, p, next)); !errors.Is(err, errKey) {
			t.Error(err)
		}
	}
	p.set(func() {
		if p.asked != 1 {
			t.Errorf("asked %d times", p.asked)
		}
		p.keys = append(p.keys, next)
	})
	i.keys.mu.Lock()
	i.keys.asked = time.Now().Add(-askEvery)
	i.keys.mu.Unlock()
	if _, err := i.Verify(t.Context(), good(t, p, next)); err != nil {
		t.Errorf("keys that have been exchanged: %v", err)
	}
	if _, err := i.Verify(t.Context(), good(t, p, key)); err != nil {
		t.Error(err)
	}
}

func TestAnIssuerThatDoesNotAnswer(t *testing.T) {
	key := ec(t, "1")
	p := newProvider(t, key)
	p.set(func() { p.down = true })
	i := issuer(t, p.options())
	for range 3 { // the first asks, the others hear what came of it
		if _, err := i.Verify(t.Context(), good(t, p, key)); !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
	}
	if err := i.Problem(); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("the problem is %v", err)
	}
	p.set(func() { p.down = false })
	i.keys.mu.Lock()
	i.keys.asked = time.Time{}
	i.keys.mu.Unlock()
	if _, err := i.Verify(t.Context(), good(t, p, key)); err != nil {
		t.Fatal(err)
	}
	p.set(func() { p.down = true })
	i.keys.mu.Lock()
	i.keys.asked, i.keys.read = time.Time{}, time.Now().Add(-2*refreshAfter)
	i.keys.mu.Unlock()
	if _, err := i.Verify(t.Context(), good(t, p, key)); err != nil {
		t.Errorf("keys that were read are good on: %v", err)
	}
}

// Nobody waits longer than for themselves, and many wait for one question.
func TestOneQuestionForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer, questions := make(chan struct{}), 0
		key := ec(t, "1")
		k := &keys{fetch: func(context.Context) ([]jose.JSONWebKey, error) {
			questions++
			<-answer
			return []jose.JSONWebKey{key}, nil
		}}
		errs := make(chan error, 20)
		for range cap(errs) {
			go func() {
				_, err := k.named(t.Context(), "1")
				errs <- err
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := k.named(ctx, "1"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("who has left still waits: %v", err)
		}
		close(answer)
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if questions != 1 {
			t.Errorf("%d questions", questions)
		}
	})
}

func TestWhatAnIssuerMustNotSay(t *testing.T) {
	key := ec(t, "1")
	for name, change := range map[string]func(*provider){
		"another issuer":   func(p *provider) { p.issuer = "https://example.com" },
		"keys over HTTP":   func(p *provider) { p.jwks = "http://127.0.0.1/keys" },
		"keys nowhere":     func(p *provider) { p.jwks = "" },
		"keys elsewhere":   func(p *provider) { p.jwks = p.URL + "/elsewhere" },
		"no keys":          func(p *provider) { p.keys = nil },
		"no JSON for keys": func(p *provider) { p.jwks = p.URL + "/none" },
	} {
		p := newProvider(t, key)
		change(p)
		if _, err := issuer(t, p.options()).Verify(t.Context(), good(t, p, key)); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := newProvider(t, key)
	o := p.options()
	o.CA = nil
	if _, err := issuer(t, o).Verify(t.Context(), good(t, p, key)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a certificate that nobody knows: %v", err)
	}
	if _, err := New(Options{CA: []byte("x")}); err == nil {
		t.Error("authorities that are none are taken")
	}
}

func TestSame(t *testing.T) {
	p := newProvider(t)
	i := issuer(t, p.options())
	other := p.options()
	other.Audiences = []string{"other"}
	if !i.Same(p.options()) || i.Same(other) {
		t.Error("issuers cannot be told apart")
	}
}

// Whatever the claims, the name is the issuer's own.
func FuzzIdentity(f *testing.F) {
	i := &Issuer{o: Options{URL: "https://i", Audiences: []string{"a"}, UsernameClaim: "sub", UsernamePrefix: "x:", GroupsClaim: "groups", GroupsPrefix: "x:"}}
	f.Add(`{"iss":"https://i","aud":"a","exp":99999999999,"sub":"alice","groups":["g"]}`)
	f.Add(`{"iss":"https://i","aud":["a"],"exp":1e300,"sub":"alice","groups":"g"}`)
	f.Add(`{"iss":1,"sub":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		var claims map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &claims) != nil {
			return
		}
		id, err := i.identity(claims, time.Unix(1e9, 0))
		if err != nil {
			return
		}
		all := append([]string{id.Name}, id.Groups...)
		if slices.ContainsFunc(all, func(s string) bool { return !strings.HasPrefix(s, "x:") }) {
			t.Errorf("%q: %+v", text, id)
		}
	})
}
