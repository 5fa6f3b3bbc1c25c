package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/oauth"
	"github.com/posternhq/postern/gateway/token"
)

// TestPasswordGrant is the login as KubeSphere documents it.
func TestPasswordGrant(t *testing.T) {
	s := serve(t, func(o *oauth.Options) { o.Issuer = "kubesphere" })
	a := s.login("alice")
	var got struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Refresh string `json:"refresh_token"`
		Expires int    `json:"expires_in"`
		ID      string `json:"id_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Type != "Bearer" || got.Expires != 7200 || got.ID != "" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%+v %v", got, a.header)
	}
	access, refresh := claimsOf(t, got.Access), claimsOf(t, got.Refresh)
	if access["iss"] != "kubesphere" || access["sub"] != "alice" || access["username"] != "alice" || access["token_type"] != "access_token" ||
		access["jti"] == refresh["jti"] || access["jti"] == "" || access["sid"] == "" || access["sid"] != refresh["sid"] {
		t.Errorf("%v %v", access, refresh)
	}
	if life := refresh["exp"].(float64) - refresh["iat"].(float64); life != 4*3600 {
		t.Errorf("a refresh token lives %v s", life)
	}
	s.alive("after the login", got.Access, true)
	if a := s.post("/oauth/token", passwordForm("alice@example.com")); a.code != 200 {
		t.Errorf("by e-mail: %d %s", a.code, a.body)
	}
}

func TestLivesOfClients(t *testing.T) {
	s := serve(t, nil)
	form := func(c string) url.Values {
		return with(passwordForm("alice"), "client_id", c, "client_secret", c)
	}
	a := s.post("/oauth/token", form("brief"))
	access, refresh := claimsOf(t, a.field("access_token")), claimsOf(t, a.field("refresh_token"))
	if access["exp"].(float64)-access["iat"].(float64) != 60 || refresh["exp"].(float64)-refresh["iat"].(float64) != 120 {
		t.Errorf("%v %v", access, refresh)
	}
	a = s.post("/oauth/token", form("endless"))
	if claims := claimsOf(t, a.field("access_token")); claims["exp"] != nil || a.field("refresh_token") != "" || strings.Contains(a.body, "expires_in") {
		t.Errorf("%v %s", claims, a.body)
	}
}

func TestTokenErrors(t *testing.T) {
	s := serve(t, nil)
	good := passwordForm("alice")
	for _, c := range []struct {
		name    string
		form    url.Values
		headers []string
		code    int
		err     string
	}{
		{"no client", with(good, "client_id", ""), nil, 401, "invalid_client"},
		{"unknown client", with(good, "client_id", "nobody"), nil, 401, "invalid_client"},
		{"wrong secret", with(good, "client_secret", "S3cret"), nil, 401, "invalid_client"},
		{"no secret", with(good, "client_secret", ""), nil, 401, "invalid_client"},
		{"a secret for a public client", with(good, "client_id", "cli"), nil, 401, "invalid_client"},
		{"two ways", good, []string{"Authorization", "Basic Y29uc29sZTpzM2NyZXQ="}, 400, "invalid_request"},
		{"another client in the header", with(good, "client_id", "other", "client_secret", ""), []string{"Authorization", "Basic Y29uc29sZTpzM2NyZXQ="}, 400, "invalid_request"},
		{"no Basic", with(good, "client_secret", ""), []string{"Authorization", "Bearer x"}, 400, "invalid_request"},
		{"no grant", with(good, "grant_type", ""), nil, 400, "invalid_request"},
		{"unknown grant", with(good, "grant_type", "implicit"), nil, 400, "unsupported_grant_type"},
		{"wrong password", with(good, "password", "x"), nil, 400, "invalid_grant"},
		{"unknown user", with(good, "username", "nobody"), nil, 400, "invalid_grant"},
		{"disabled user", with(good, "username", "dora"), nil, 400, "invalid_grant"},
		{"no password", with(good, "password", ""), nil, 400, "invalid_request"},
		{"a scope too many", with(good, "client_id", "narrow", "client_secret", "few", "scope", "openid profile"), nil, 400, "invalid_scope"},
		{"no refresh token", with(refreshForm(""), "x", "y"), nil, 400, "invalid_request"},
		{"no token at all", refreshForm("x.y.z"), nil, 400, "invalid_grant"},
		{"no code", codeForm(""), nil, 400, "invalid_request"},
	} {
		a := s.post("/oauth/token", c.form, c.headers...)
		if a.code != c.code || a.field("error") != c.err || a.field("error_description") == "" || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %s", c.name, a.code, a.body)
		}
	}
	if a := s.post("/oauth/token", with(good, "client_secret", ""), "Authorization", "Basic Y29uc29sZTp4"); a.code != 401 || a.header.Get("WWW-Authenticate") != `Basic realm="postern"` {
		t.Errorf("a client that tried Basic is not told: %d %v", a.code, a.header)
	}
	if a := s.post("/oauth/token", with(good, "client_id", "", "client_secret", ""), "Authorization", "Basic Y29uc29sZTpzM2NyZXQ="); a.code != 200 {
		t.Errorf("client_secret_basic: %d %s", a.code, a.body)
	}
	if a := s.post("/oauth/token", with(good, "client_id", "cli", "client_secret", "")); a.code != 200 {
		t.Errorf("a public client: %d %s", a.code, a.body)
	}
}

// TestFormsAreReadStrictly: nothing that two readers might read in two ways.
func TestFormsAreReadStrictly(t *testing.T) {
	s := serve(t, nil)
	good := passwordForm("alice").Encode()
	const urlencoded = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name, media, body string
		code              int
	}{
		{"as it should be", urlencoded + "; charset=utf-8", good, 200},
		{"a parameter twice", urlencoded, good + "&username=bob", 400},
		{"twice, one of them empty", urlencoded, good + "&username=", 400},
		{"bad encoding", urlencoded, good + "&x=%zz", 400},
		{"no UTF-8", urlencoded, good + "&x=%ff", 400},
		{"a line end", urlencoded, good + "&x=a%0d%0ab", 400},
		{"JSON", "application/json", `{"grant_type":"password"}`, 400},
		{"no content type", "", good, 400},
		{"too many", urlencoded, good + strings.Repeat("&", 3) + many(100), 400},
		{"too much", urlencoded, good + "&x=" + strings.Repeat("y", oauth.MaxBody), 413},
	} {
		a := s.do("POST", "/oauth/token", strings.NewReader(c.body), "Content-Type", c.media)
		if a.code != c.code || c.code != 200 && a.field("error") != "invalid_request" {
			t.Errorf("%s: %d %s", c.name, a.code, a.body)
		}
	}
	// Without a length in front, too.
	a := s.do("POST", "/oauth/token", struct{ *strings.Reader }{strings.NewReader(good + "&x=" + strings.Repeat("y", oauth.MaxBody))}, "Content-Type", urlencoded)
	if a.code != 413 {
		t.Errorf("a long body in chunks: %d", a.code)
	}
	// What is in the query ends up in logs, so it counts for nothing.
	if a := s.do("POST", "/oauth/token?"+good, nil, "Content-Type", urlencoded); a.code != 401 {
		t.Errorf("a password in the query: %d %s", a.code, a.body)
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString("p" + string(rune('a'+i%26)) + string(rune('a'+i/26)) + "=1&")
	}
	return b.String()
}

func TestThrottledIs429(t *testing.T) {
	s := serve(t, nil)
	wrong := with(passwordForm("alice"), "password", "wrong")
	for range 3 {
		s.post("/oauth/token", wrong)
	}
	a := s.post("/oauth/token", with(wrong, "password", "another"))
	if a.code != 429 || a.header.Get("Retry-After") == "" || a.field("error") != "invalid_grant" {
		t.Errorf("%d %v %s", a.code, a.header, a.body)
	}
}

func TestRefreshRotates(t *testing.T) {
	s := serve(t, nil)
	first := s.login("alice")
	second := s.post("/oauth/token", refreshForm(first.field("refresh_token")))
	if second.code != 200 || second.field("refresh_token") == first.field("refresh_token") {
		t.Fatalf("%d %s", second.code, second.body)
	}
	if claimsOf(t, second.field("access_token"))["sid"] != claimsOf(t, first.field("access_token"))["sid"] {
		t.Error("another session")
	}
	s.alive("refreshed", second.field("access_token"), true)
	s.alive("the one before", first.field("access_token"), true)
}

// TestReusedRefreshTokenEndsTheSession: one of the two who have it has stolen it.
func TestReusedRefreshTokenEndsTheSession(t *testing.T) {
	s := serve(t, nil)
	other := s.login("alice")
	first := s.login("alice")
	second := s.post("/oauth/token", refreshForm(first.field("refresh_token")))
	third := s.post("/oauth/token", refreshForm(second.field("refresh_token")))
	again := s.post("/oauth/token", refreshForm(first.field("refresh_token")))
	if again.code != 400 || again.field("error") != "invalid_grant" || again.field("access_token") != "" {
		t.Fatalf("%d %s", again.code, again.body)
	}
	for name, a := range map[string]answer{"first": first, "second": second, "third": third} {
		s.alive(name, a.field("access_token"), false)
	}
	if a := s.post("/oauth/token", refreshForm(third.field("refresh_token"))); a.code != 400 {
		t.Errorf("the newest refresh token is good: %d", a.code)
	}
	s.alive("another session of the user", other.field("access_token"), true)
}

// TestRefreshTokensAreGoodOnceForAll who come at once.
func TestRefreshTokensAreGoodOnceForAll(t *testing.T) {
	s := serve(t, nil)
	form := refreshForm(s.login("alice").field("refresh_token"))
	codes := make([]int, 8)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() { codes[i] = s.post("/oauth/token", form).code })
	}
	all.Wait()
	slices.Sort(codes)
	if codes[0] == 200 && codes[1] == 200 || codes[7] != 400 {
		t.Errorf("%v", codes)
	}
}

func TestRefreshIsRefused(t *testing.T) {
	s := serve(t, nil)
	refresh := s.login("alice").field("refresh_token")
	if a := s.post("/oauth/token", with(refreshForm(refresh), "client_id", "other", "client_secret", "0ther")); a.code != 400 || a.field("error") != "invalid_grant" {
		t.Errorf("by another client: %d %s", a.code, a.body)
	}
	if a := s.post("/oauth/token", with(refreshForm(refresh), "scope", "openid")); a.code != 400 || a.field("error") != "invalid_scope" {
		t.Errorf("with more scopes: %d %s", a.code, a.body)
	}
	for name, change := range map[string]func(a account.Account){
		"disabled":                 func(a account.Account) { a.State = account.Disabled; s.users.put(a) },
		"gone":                     func(a account.Account) { s.users.remove(a.Name) },
		"another of the same name": func(a account.Account) { a.UID = "u-9"; s.users.put(a) },
	} {
		alice := *s.users.Account("alice")
		change(alice)
		if a := s.post("/oauth/token", refreshForm(refresh)); a.code != 400 || a.field("error") != "invalid_grant" {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
		s.users.put(alice)
	}
	if a := s.post("/oauth/token", refreshForm(refresh)); a.code != 200 {
		t.Errorf("none of these has used it up: %d %s", a.code, a.body)
	}
}

func TestMultipleLogin(t *testing.T) {
	for _, several := range []bool{true, false} {
		s := serve(t, func(o *oauth.Options) { o.MultipleLogin = several })
		first, bob := s.login("alice"), s.login("bob")
		second := s.login("alice")
		s.alive("the first session", first.field("access_token"), several)
		s.alive("the second session", second.field("access_token"), true)
		s.alive("somebody else's", bob.field("access_token"), true)
		third := s.post("/oauth/token", codeForm(s.code(authorizeQuery())))
		s.alive("before a login by code", second.field("access_token"), several)
		s.alive("a login by code", third.field("access_token"), true)
		fourth := s.post("/oauth/token", refreshForm(third.field("refresh_token")))
		s.alive("refreshing is no login", third.field("access_token"), true)
		s.alive("refreshed", fourth.field("access_token"), true)
	}
}

// TestStoreIsDown: what cannot be known to be the first use, or cannot be ended, is 503.
func TestStoreIsDown(t *testing.T) {
	s := serve(t, func(o *oauth.Options) { o.MultipleLogin = false })
	a := s.login("alice")
	code := s.code(authorizeQuery())
	s.store.fail(errDown)
	for name, got := range map[string]answer{
		"login":   s.post("/oauth/token", passwordForm("alice")),
		"refresh": s.post("/oauth/token", refreshForm(a.field("refresh_token"))),
		"code":    s.post("/oauth/token", codeForm(code)),
		"logout":  s.get("/oauth/logout", "Authorization", "Bearer "+a.field("access_token")),
	} {
		if got.code != 503 || got.field("error") != "temporarily_unavailable" || got.header.Get("Retry-After") == "" || strings.Contains(got.body, "access_token") {
			t.Errorf("%s: %d %s", name, got.code, got.body)
		}
	}
	s.alive("meanwhile", a.field("access_token"), true)
	s.store.fail(nil)
	if got := s.post("/oauth/token", codeForm(code)); got.code != 200 {
		t.Errorf("afterwards: %d %s", got.code, got.body)
	}
}

func TestWithoutKeys(t *testing.T) {
	s := serve(t, nil)
	refresh := s.login("alice").field("refresh_token")
	empty, err := token.New(token.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.ring.Set(empty)
	for name, a := range map[string]answer{
		"login":     s.post("/oauth/token", passwordForm("alice")),
		"refresh":   s.post("/oauth/token", refreshForm(refresh)),
		"review":    s.do("POST", "/oauth/authenticate", strings.NewReader(review("v1", "x"))),
		"discovery": s.get("/oauth/.well-known/openid-configuration"),
		"page":      s.get("/oauth/authorize?"+authorizeQuery().Encode(), "Accept", "text/html"),
	} {
		if a.code != 503 || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
	}
	if a := s.get("/oauth/keys"); a.code != 200 || a.body != `{"keys":[]}` {
		t.Errorf("keys: %d %s", a.code, a.body)
	}
}

func TestCodeGrant(t *testing.T) {
	s := serve(t, nil)
	began := time.Now().Unix()
	for _, grant := range []string{"authorization_code", "code"} { // the second is upstream's name
		a := s.post("/oauth/token", with(codeForm(s.code(authorizeQuery())), "grant_type", grant))
		if a.code != 200 || a.field("scope") != "email openid profile" {
			t.Fatalf("%s: %d %s (%s)", grant, a.code, a.body, s.why())
		}
		s.alive(grant, a.field("access_token"), true)
		id := claimsOf(t, a.field("id_token"))
		if id["aud"] != "console" || id["iss"] != s.url || id["sub"] != "alice" || id["nonce"] != "n-1" || id["name"] != "Alice A." || id["email"] != "alice@example.com" ||
			id["locale"] != "en" || id["preferred_username"] != "alice" || id["auth_time"].(float64) < float64(began) || id["at_hash"] == nil {
			t.Errorf("%v", id)
		}
	}
	a := s.post("/oauth/token", codeForm(s.code(with(authorizeQuery(), "scope", ""))))
	if a.code != 200 || a.field("id_token") != "" {
		t.Errorf("an id token without openid: %s", a.body)
	}
	a = s.post("/oauth/token", codeForm(s.code(with(authorizeQuery(), "scope", "openid"))))
	if id := claimsOf(t, a.field("id_token")); id["name"] != nil || id["email"] != nil {
		t.Errorf("more than was asked for: %v", id)
	}
	fresh := s.post("/oauth/token", refreshForm(a.field("refresh_token")))
	if id := claimsOf(t, fresh.field("id_token")); id["nonce"] != nil || id["auth_time"] != claimsOf(t, a.field("id_token"))["auth_time"] {
		t.Errorf("refreshed: %v", id)
	}
}

// TestCodeIsUsedOnce: the second time whoever had the first tokens loses them.
func TestCodeIsUsedOnce(t *testing.T) {
	s := serve(t, nil)
	code := s.code(authorizeQuery())
	first := s.post("/oauth/token", codeForm(code))
	second := s.post("/oauth/token", codeForm(code))
	if first.code != 200 || second.code != 400 || second.field("error") != "invalid_grant" {
		t.Errorf("%d %d %s", first.code, second.code, second.body)
	}
	s.alive("after the code was used again", first.field("access_token"), false)
}

// TestCodeWithoutRedirectURI: what the request left out, the client need not repeat.
func TestCodeWithoutRedirectURI(t *testing.T) {
	s := serve(t, nil)
	query := with(authorizeQuery(), "redirect_uri", "")
	if a := s.post("/oauth/token", with(codeForm(s.code(query)), "redirect_uri", "")); a.code != 200 {
		t.Errorf("%d %s", a.code, a.body)
	}
	if a := s.post("/oauth/token", codeForm(s.code(query))); a.code != 200 {
		t.Errorf("with the one it went to: %d %s", a.code, a.body)
	}
}

func TestClientSecretBasicIsFormEncoded(t *testing.T) {
	s := serve(t, func(o *oauth.Options) { o.Clients[0].Secret = "a b+c%:d" })
	header := "Basic " + base64.StdEncoding.EncodeToString([]byte("console:"+url.QueryEscape("a b+c%:d")))
	if a := s.post("/oauth/token", with(passwordForm("alice"), "client_id", "", "client_secret", ""), "Authorization", header); a.code != 200 {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// TestForeignTokensAreRefused: the secret alone is not enough, the issuer has to be ours.
func TestForeignTokensAreRefused(t *testing.T) {
	s := serve(t, nil)
	foreign, err := token.New(token.Options{Secret: secret, Issuer: "https://elsewhere.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := foreign.Sign(&token.Claims{Kind: token.Refresh, Username: "alice", Session: "s"})
	if err != nil {
		t.Fatal(err)
	}
	if a := s.post("/oauth/token", refreshForm(text)); a.code != 400 || a.field("error") != "invalid_grant" {
		t.Errorf("%d %s", a.code, a.body)
	}
}
