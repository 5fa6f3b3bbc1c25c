package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/posternhq/postern/gateway/idp"
)

func newClient(t *testing.T, i *issuer, more ...any) *provider {
	t.Helper()
	options := map[string]any{"issuer": i.URL, "clientID": "postern", "clientSecret": i.secret}
	for n := 0; n+1 < len(more); n += 2 {
		options[more[n].(string)] = more[n+1]
	}
	raw, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Type.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p.(*provider)
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func visit() idp.Visit {
	return idp.Visit{State: "state", Nonce: "nonce", Verifier: oauth2.GenerateVerifier(), Redirect: "https://postern.example/oauth/callback/corp"}
}

// browse is the browser's way to the provider: the query it comes back with.
func browse(t *testing.T, p idp.OAuthProvider, v idp.Visit) (url.Values, error) {
	t.Helper()
	to, err := p.AuthorizeURL(within(t), v)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Transport: new(http.Transport), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer browser.CloseIdleConnections()
	response, err := browser.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	back, err := response.Location()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(back.String(), v.Redirect+"?") || back.Query().Get("state") != v.State {
		t.Errorf("the browser comes back to %s", back)
	}
	return back.Query(), nil
}

func login(t *testing.T, p idp.OAuthProvider) (idp.Identity, error) {
	t.Helper()
	v := visit()
	query, err := browse(t, p, v)
	if err != nil {
		return idp.Identity{}, err
	}
	return p.Exchange(within(t), v, query)
}

func TestLogin(t *testing.T) {
	i := newIssuer(t)
	ada := idp.Identity{UID: "1815", Name: "ada", Email: "ada@example.org", DisplayName: "Ada Lovelace", Groups: []string{"engines", "poets"}}
	for what, c := range map[string]struct {
		options  []any
		claims   map[string]any
		userInfo map[string]any
		metadata map[string]any
		want     func(id *idp.Identity)
	}{
		"as it is":                      {},
		"secret in the form":            {metadata: map[string]any{"token_endpoint_auth_methods_supported": []string{"client_secret_post"}}},
		"own URLs":                      {options: []any{"endpoint", map[string]any{"authURL": i.URL + "/authorize", "tokenURL": i.URL + "/token", "jwksURL": i.URL + "/keys"}}, claims: map[string]any{}, want: nil, metadata: map[string]any{"issuer": "not asked"}},
		"several audiences":             {claims: map[string]any{"aud": []string{"other", "postern"}, "azp": "postern"}},
		"e-mail not verified":           {claims: map[string]any{"email_verified": false}, want: func(id *idp.Identity) { id.Email = "" }},
		"e-mail, nothing said":          {claims: map[string]any{"email_verified": nil}, want: func(id *idp.Identity) { id.Email = "" }},
		"e-mail verified, as text":      {claims: map[string]any{"email_verified": "true"}},
		"e-mail trusted":                {options: []any{"unverifiedEmail", true}, claims: map[string]any{"email_verified": nil}},
		"other keys":                    {options: []any{"emailKey", "upn", "preferredUsernameKey", "nick", "groupsKey", "roles"}, claims: map[string]any{"upn": "a@b.example", "nick": "countess", "roles": "r"}, want: func(id *idp.Identity) { id.Email, id.Name, id.Groups = "a@b.example", "countess", []string{"r"} }},
		"no username":                   {claims: map[string]any{"preferred_username": nil}, want: func(id *idp.Identity) { id.Name = "Ada Lovelace" }},
		"claims of odd types":           {claims: map[string]any{"preferred_username": 7, "name": []int{1}, "groups": map[string]int{}, "email": true}, want: func(id *idp.Identity) { *id = idp.Identity{UID: "1815"} }},
		"user info":                     {options: []any{"getUserInfo", true}, userInfo: map[string]any{"sub": "1815", "preferred_username": "countess"}, want: func(id *idp.Identity) { id.Name = "countess" }},
		"hash of the access token fits": {claims: map[string]any{"at_hash": atHash("access")}},
	} {
		i.set(func() { i.claims, i.userInfo, i.metadata = c.claims, c.userInfo, c.metadata })
		want := ada
		if c.want != nil {
			c.want(&want)
		}
		if id, err := login(t, newClient(t, i, c.options...)); err != nil || !reflect.DeepEqual(id, want) {
			t.Errorf("%s: %+v, %v", what, id, err)
		}
	}
}

func atHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// TestNoUnverifiedIDToken: upstream believes an id token's payload when no issuer is configured; here each of these is refused.
func TestNoUnverifiedIDToken(t *testing.T) {
	i := newIssuer(t)
	foreign := newIssuer(t)
	public, err := json.Marshal(i.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		claims   map[string]any
		sign     func(map[string]any) string
		options  []any
		userInfo map[string]any
	}{
		"another issuer":         {claims: map[string]any{"iss": "https://elsewhere.example"}},
		"another audience":       {claims: map[string]any{"aud": "other"}},
		"another's client":       {claims: map[string]any{"aud": []string{"postern", "other"}, "azp": "other"}},
		"audiences without azp":  {claims: map[string]any{"aud": []string{"postern", "other"}}},
		"expired":                {claims: map[string]any{"exp": time.Now().Add(-time.Minute).Unix()}},
		"never expires":          {claims: map[string]any{"exp": nil}},
		"not valid yet":          {claims: map[string]any{"nbf": time.Now().Add(time.Hour).Unix()}},
		"another visit's nonce":  {claims: map[string]any{"nonce": "other"}},
		"no nonce":               {claims: map[string]any{"nonce": nil}},
		"nobody":                 {claims: map[string]any{"sub": ""}},
		"another access token":   {claims: map[string]any{"at_hash": atHash("other")}},
		"another's key":          {sign: foreign.signed},
		"no signature":           {sign: unsigned},
		"HS256 with the secret":  {sign: symmetric([]byte(i.secret))},
		"HS256 with the key":     {sign: symmetric(public)},
		"no id token":            {sign: func(map[string]any) string { return "" }},
		"no JWT":                 {sign: func(map[string]any) string { return "a.b.c" }},
		"user info of another":   {options: []any{"getUserInfo", true}, userInfo: map[string]any{"sub": "7"}},
		"user info of nobody":    {options: []any{"getUserInfo", true}, userInfo: map[string]any{"email": "x@y.example"}},
		"client's wrong secret":  {options: []any{"clientSecret", "wrong"}},
		"another kind of client": {options: []any{"clientID", "other"}},
	} {
		i.set(func() { i.claims, i.sign, i.userInfo = c.claims, c.sign, c.userInfo })
		id, err := login(t, newClient(t, i, c.options...))
		if !errors.Is(err, idp.ErrRefused) || errors.Is(err, idp.ErrUnavailable) || id.UID != "" {
			t.Errorf("%s: %+v, %v", what, id, err)
		}
		if err != nil && strings.Contains(err.Error(), "something secret") {
			t.Errorf("%s: the error has what the provider says: %v", what, err)
		}
	}
	if _, err := Type.New(json.RawMessage(`{"clientID":"postern","endpoint":{"authURL":"https://a.example","tokenURL":"https://a.example"}}`)); err == nil {
		t.Error("a provider without an issuer")
	}
}

func unsigned(claims map[string]any) string {
	body, _ := json.Marshal(claims)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(body) + "."
}

func symmetric(key []byte) func(map[string]any) string {
	sum := sha256.Sum256(key) // HS256 wants 32 bytes
	return func(claims map[string]any) string {
		return sign(jose.SigningKey{Algorithm: jose.HS256, Key: sum[:]}, claims)
	}
}

func TestVisit(t *testing.T) {
	i := newIssuer(t)
	p := newClient(t, i)
	v := visit()
	query, err := browse(t, p, v)
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(v *idp.Visit, query url.Values){
		"no code":          func(_ *idp.Visit, q url.Values) { q.Del("code") },
		"two codes":        func(_ *idp.Visit, q url.Values) { q.Add("code", "other") },
		"long code":        func(_ *idp.Visit, q url.Values) { q.Set("code", strings.Repeat("x", 5000)) },
		"another issuer":   func(_ *idp.Visit, q url.Values) { q.Set("iss", "https://elsewhere.example") },
		"another verifier": func(v *idp.Visit, _ url.Values) { v.Verifier = oauth2.GenerateVerifier() }, // uses the code up
		"code used again":  func(*idp.Visit, url.Values) {},
	} {
		w, q := v, url.Values{}
		for key, values := range query {
			q[key] = append([]string(nil), values...)
		}
		if what == "code used again" {
			if q, err = browse(t, p, w); err != nil {
				t.Fatal(err)
			}
			if _, err := p.Exchange(within(t), w, q); err != nil {
				t.Fatal(err)
			}
		}
		change(&w, q)
		if id, err := p.Exchange(within(t), w, q); !errors.Is(err, idp.ErrRefused) || id.UID != "" {
			t.Errorf("%s: %+v, %v", what, id, err)
		}
	}
}

func TestProviderDown(t *testing.T) {
	i := newIssuer(t)
	const discovery = "/.well-known/openid-configuration"
	for _, path := range []string{discovery, "/token", "/keys", "/userinfo"} {
		i.set(func() { clear(i.down); i.down[path] = true; i.userInfo = map[string]any{"sub": "1815"} })
		p := newClient(t, i, "getUserInfo", true)
		if _, err := login(t, p); !errors.Is(err, idp.ErrUnavailable) || errors.Is(err, idp.ErrRefused) {
			t.Errorf("%s down: %v", path, err)
		}
		i.set(func() { clear(i.down) })
		if _, err := login(t, p); err != nil {
			t.Errorf("%s back: %v", path, err)
		}
	}
	p := newClient(t, i)
	if _, err := login(t, p); err != nil {
		t.Fatal(err)
	}
	i.rotate(t, "second")
	if _, err := login(t, p); err != nil {
		t.Errorf("with a new key: %v", err)
	}
	i.set(func() { i.down[discovery] = true })
	old := *p.found.last.Load()
	old.until = time.Time{}
	p.found.last.Store(&old)
	if _, err := login(t, p); err != nil {
		t.Errorf("what was known is not used: %v", err)
	}
	for what, metadata := range map[string]map[string]any{
		"another issuer": {"issuer": "https://elsewhere.example"},
		"no keys":        {"jwks_uri": ""},
		"secret alone":   {"id_token_signing_alg_values_supported": []string{"HS256"}},
		"odd URL":        {"token_endpoint": "file:///etc/passwd"},
		"too long":       {"x": strings.Repeat("x", 2<<20)},
	} {
		i.set(func() { clear(i.down); i.metadata = metadata })
		if _, err := login(t, newClient(t, i)); !errors.Is(err, idp.ErrUnavailable) || errors.Is(err, idp.ErrRefused) {
			t.Errorf("%s: %v", what, err)
		}
	}
	i.set(func() { i.metadata = nil; clear(i.asked) })
	p = newClient(t, i)
	for range 3 {
		if _, err := login(t, p); err != nil {
			t.Fatal(err)
		}
	}
	if n := i.asked[discovery]; n != 1 {
		t.Errorf("asked for metadata %d times", n)
	}
}
