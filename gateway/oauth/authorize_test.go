package oauth_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/oauth"
)

// browser is a browser without scripts: it keeps cookies, and sends what a form has.
type browser struct {
	*server
	cookies map[string]string
}

func (s *server) browser() *browser { return &browser{s, map[string]string{}} }

func (b *browser) headers() []string {
	h := []string{"Accept", "text/html,application/xhtml+xml"}
	var all []string
	for name, value := range b.cookies {
		all = append(all, name+"="+value)
	}
	if len(all) > 0 {
		h = append(h, "Cookie", strings.Join(all, "; "))
	}
	return h
}

func (b *browser) keep(a answer) answer {
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if b.cookies[c.Name] = c.Value; c.Value == "" {
			delete(b.cookies, c.Name)
		}
	}
	return a
}

func (b *browser) open(path string) answer { b.t.Helper(); return b.keep(b.get(path, b.headers()...)) }

func (b *browser) send(form url.Values) answer {
	b.t.Helper()
	return b.keep(b.post("/oauth/authorize", form, b.headers()...))
}

var (
	inputs   = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	unescape = strings.NewReplacer("&amp;", "&", "&lt;", "<", "&gt;", ">", "&#34;", `"`, "&#39;", "'", "&#96;", "`")
)

// form is what the page's form would send.
func formOf(a answer, pairs ...string) url.Values {
	v := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(a.body, -1) {
		v.Set(unescape.Replace(m[1]), unescape.Replace(m[2]))
	}
	return with(v, pairs...)
}

func TestLoginPage(t *testing.T) {
	s := serve(t, nil)
	b := s.browser()
	page := b.open("/oauth/authorize?" + authorizeQuery().Encode())
	csp := page.header.Get("Content-Security-Policy")
	if page.code != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") || !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") ||
		page.header.Get("X-Frame-Options") != "DENY" || page.header.Get("Cache-Control") != "no-store" || page.header.Get("Referrer-Policy") != "no-referrer" || strings.Contains(page.body, "<script") {
		t.Errorf("%d %v", page.code, page.header)
	}
	cookie := page.header.Get("Set-Cookie")
	if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") {
		t.Errorf("cookie %q", cookie)
	}
	wrong := b.send(formOf(page, "username", "alice", "password", "wrong", "answer", "yes"))
	if wrong.code != 401 || !strings.Contains(wrong.body, "wrong user name or password") || !strings.Contains(wrong.body, `value="alice"`) || strings.Contains(wrong.header.Get("WWW-Authenticate"), "Basic") {
		t.Fatalf("wrong password: %d %v %s", wrong.code, wrong.header, wrong.body)
	}
	empty := b.send(formOf(wrong, "username", "alice", "password", "", "answer", "yes"))
	if empty.code != 400 {
		t.Errorf("no password: %d", empty.code)
	}
	done := b.send(formOf(empty, "username", "alice", "password", password, "answer", "yes"))
	if done.code != 303 || !strings.HasPrefix(done.to.String(), redirectURI+"?") || done.to.Query().Get("state") != "st&te=1" || done.to.Query().Get("iss") != s.url {
		t.Fatalf("%d %v %s", done.code, done.to, done.body)
	}
	if a := s.post("/oauth/token", codeForm(done.to.Query().Get("code"))); a.code != 200 || claimsOf(t, a.field("id_token"))["nonce"] != "n-1" {
		t.Errorf("%d %s", a.code, a.body)
	}
}

// TestFormsOfOthers: a form is good in the browser that got it, for the request it was made for.
func TestFormsOfOthers(t *testing.T) {
	s := serve(t, nil)
	b := s.browser()
	page := b.open("/oauth/authorize?" + authorizeQuery().Encode())
	good := formOf(page, "username", "alice", "password", password, "answer", "yes")
	refused := func(name string, a answer) {
		t.Helper()
		if a.code != 403 || a.to != nil || !strings.Contains(a.body, "try again") {
			t.Errorf("%s: %d %v", name, a.code, a.to)
		}
	}
	refused("without a cookie", s.browser().send(good))
	other := s.browser()
	other.open("/oauth/authorize?" + authorizeQuery().Encode())
	refused("with another cookie", other.send(good))
	refused("for another scope", b.send(with(good, "scope", "openid")))
	refused("for another client", b.send(with(good, "client_id", "open")))
	refused("for another state", b.send(with(good, "state", "x")))
	refused("with a token of another kind", b.send(with(good, "form_token", s.login("alice").field("access_token"))))
	refused("from another site", b.keep(b.post("/oauth/authorize", good, append(b.headers(), "Sec-Fetch-Site", "cross-site")...)))
	if a := b.send(good); a.code != 303 {
		t.Errorf("as it should be: %d", a.code)
	}
	// Without a token of ours it is a request like any other, and shows the page.
	if a := b.send(with(good, "form_token", "")); a.code != 200 || !strings.Contains(a.body, "<form") {
		t.Errorf("without a token: %d", a.code)
	}
}

func TestConsent(t *testing.T) {
	s := serve(t, nil)
	b := s.browser()
	query := with(authorizeQuery(), "client_id", "asking")
	page := b.open("/oauth/authorize?" + query.Encode())
	if !strings.Contains(page.body, "<strong>asking</strong>") || !strings.Contains(page.body, "<li>openid</li>") {
		t.Errorf("%s", page.body)
	}
	no := b.send(formOf(page, "answer", "no"))
	if no.code != 303 || no.to.Query().Get("error") != "access_denied" || no.to.Query().Get("state") != "st&te=1" {
		t.Errorf("%d %v", no.code, no.to)
	}
	if yes := b.send(formOf(page, "username", "alice", "password", password, "answer", "yes")); yes.code != 303 || yes.to.Query().Get("code") == "" {
		t.Errorf("%d %v", yes.code, yes.to)
	}
	// Whoever has said who they are by Basic is only asked.
	asked := b.keep(b.get("/oauth/authorize?"+query.Encode(), append(b.headers(), "Authorization", basic("alice"))...))
	if asked.code != 200 || strings.Contains(asked.body, `type="password"`) || !strings.Contains(asked.body, "You are alice.") {
		t.Fatalf("%d %s", asked.code, asked.body)
	}
	form := formOf(asked, "answer", "yes")
	yes := b.send(form)
	if yes.code != 303 || yes.to.Query().Get("code") == "" {
		t.Errorf("%d %v %s", yes.code, yes.to, yes.body)
	}
	if a := b.send(form); a.code != 403 || a.to != nil {
		t.Errorf("a second time: %d %v", a.code, a.to)
	}
	// A program cannot be asked.
	a := s.get("/oauth/authorize?"+query.Encode(), "Authorization", basic("alice"))
	if a.code != 302 || a.to.Query().Get("error") != "consent_required" {
		t.Errorf("%d %v", a.code, a.to)
	}
}

// TestAuthorizeErrors: as long as the redirect URI is not known to be the client's, nothing is sent there.
func TestAuthorizeErrors(t *testing.T) {
	s := serve(t, nil)
	good := authorizeQuery()
	for _, c := range []struct {
		name  string
		query url.Values
		code  string // of the error in the redirect; empty: shown here
	}{
		{"no client", with(good, "client_id", ""), ""},
		{"unknown client", with(good, "client_id", "nobody"), ""},
		{"foreign redirect", with(good, "redirect_uri", "https://evil.example.com/"), ""},
		{"longer redirect", with(good, "redirect_uri", redirectURI+"/x"), ""},
		{"redirect with a fragment", with(good, "redirect_uri", redirectURI+"#x"), ""},
		{"too long", with(good, "state", strings.Repeat("x", 3000)), ""},
		{"no response type", with(good, "response_type", ""), "invalid_request"},
		{"implicit", with(good, "response_type", "token"), "unsupported_response_type"},
		{"id_token", with(good, "response_type", "id_token"), "unsupported_response_type"},
		{"plain challenge", with(good, "code_challenge_method", "plain"), "invalid_request"},
		{"no method, which is plain", with(good, "code_challenge_method", ""), "invalid_request"},
		{"no sum", with(good, "code_challenge", "x"), "invalid_request"},
		{"a method alone", with(good, "code_challenge", ""), "invalid_request"},
		{"a public client without challenge", with(good, "client_id", "cli", "redirect_uri", "http://127.0.0.1:1/cb", "code_challenge", "", "code_challenge_method", ""), "invalid_request"},
		{"denied client", with(good, "client_id", "denied"), "access_denied"},
		{"scope", with(good, "client_id", "narrow"), "invalid_scope"},
		{"form_post", with(good, "response_mode", "form_post"), "invalid_request"},
		{"request object", with(good, "request", "x"), "request_not_supported"},
		{"request_uri", with(good, "request_uri", "https://x"), "request_uri_not_supported"},
		{"none and more", with(good, "prompt", "none login"), "invalid_request"},
	} {
		a := s.get("/oauth/authorize?"+c.query.Encode(), "Authorization", basic("alice"))
		switch {
		case c.code == "":
			if a.code != 400 || a.to != nil || a.field("error") == "" {
				t.Errorf("%s: %d %v %s", c.name, a.code, a.to, a.body)
			}
		case a.code != 302 || a.to.Query().Get("error") != c.code || a.to.Query().Get("state") != "st&te=1" || a.to.Query().Get("code") != "":
			t.Errorf("%s: %d %v", c.name, a.code, a.to)
		}
	}
	if a := s.get("/oauth/authorize?" + with(good, "prompt", "none").Encode()); a.code != 302 || a.to.Query().Get("error") != "login_required" {
		t.Errorf("prompt none: %d %v", a.code, a.to)
	}
	if a := s.get("/oauth/authorize?" + good.Encode()); a.code != 401 || a.field("error") != "login_required" || !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic") {
		t.Errorf("a program: %d %s", a.code, a.body)
	}
	if a := s.get("/oauth/authorize?"+good.Encode()+"&state=2", "Accept", "text/html"); a.code != 400 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("a parameter twice: %d", a.code)
	}
	if a := s.post("/oauth/authorize", good, "Authorization", basic("alice")); a.code != 303 || a.to.Query().Get("code") == "" {
		t.Errorf("by POST: %d %v", a.code, a.to)
	}
}

// TestRedirectURIs: byte for byte, but for the port on loopback.
func TestRedirectURIs(t *testing.T) {
	s := serve(t, nil)
	for _, c := range []struct {
		client, uri string
		good        bool
	}{
		{"cli", "http://127.0.0.1:8085/cb", true},
		{"cli", "http://127.0.0.1/cb", true},
		{"cli", "http://127.0.0.1:8085/cb2", false},
		{"cli", "http://127.0.0.1:8085/", false},
		{"cli", "https://127.0.0.1:8085/cb", false},
		{"cli", "http://127.0.0.1.evil.example.com/cb", false},
		{"cli", "http://127.0.0.1:80@evil.example.com/cb", false},
		{"cli", "http://127.0.0.1:/cb", false},
		{"cli", "http://127.0.0.1:123456/cb", false},
		{"cli", "http://localhost:8085/cb", false},
		{"cli", "http://[::1]:8085/cb", false},
		{"open", "https://anything.example.com/x?y=z", true},
		{"open", "javascript:alert(1)", false},
		{"open", "//evil.example.com", false},
		{"open", "/relative", false},
		{"open", "https://user@evil.example.com/", false},
		{"open", "https://a.example.com\\@evil.example.com/", false},
		{"open", "*", false},
		{"open", "", false},
		{"console", redirectURI + "?x=1", true},
		{"console", redirectURI + "?x=2", false},
	} {
		a := s.get("/oauth/authorize?"+with(authorizeQuery(), "client_id", c.client, "redirect_uri", c.uri).Encode(), "Authorization", basic("alice"))
		if got := a.code == 302; got != c.good || !c.good && a.to != nil {
			t.Errorf("%s, %q: %d %v %s", c.client, c.uri, a.code, a.to, a.body)
		}
		if c.good && !strings.HasPrefix(a.to.String(), c.uri) {
			t.Errorf("%q became %v", c.uri, a.to)
		}
	}
}

// TestCodeOfABearerToken belongs to the session of that token.
func TestCodeOfABearerToken(t *testing.T) {
	s := serve(t, func(o *oauth.Options) { o.MultipleLogin = false })
	first := s.login("alice")
	a := s.get("/oauth/authorize?"+authorizeQuery().Encode(), "Authorization", "Bearer "+first.field("access_token"))
	if a.code != 302 {
		t.Fatalf("%d %s", a.code, a.body)
	}
	second := s.post("/oauth/token", codeForm(a.to.Query().Get("code")))
	s.alive("the token asked with", first.field("access_token"), true)
	s.alive("the token got", second.field("access_token"), true)
	s.get("/oauth/logout", "Authorization", "Bearer "+first.field("access_token"))
	s.alive("logged out of the first", second.field("access_token"), false)
}

func TestImplicitIsASwitch(t *testing.T) {
	s := serve(t, func(o *oauth.Options) { o.Implicit = true })
	query := with(authorizeQuery(), "response_type", "token", "code_challenge", "", "code_challenge_method", "")
	a := s.get("/oauth/authorize?"+query.Encode(), "Authorization", basic("alice"))
	v, err := url.ParseQuery(a.to.EscapedFragment())
	if err != nil || a.code != 302 || a.to.RawQuery != "" {
		t.Fatalf("%d %v %v", a.code, a.to, err)
	}
	if v.Get("state") != "st&te=1" || v.Get("token_type") != "Bearer" || v.Get("expires_in") != "7200" || v.Get("refresh_token") == "" {
		t.Errorf("%v", v)
	}
	s.alive("implicit", v.Get("access_token"), true)
	a = s.get("/oauth/authorize?"+with(query, "scope", "openid").Encode()+"&prompt=none", "Accept", "text/html")
	if f, _ := url.ParseQuery(a.to.Fragment); f.Get("error") != "login_required" {
		t.Errorf("errors go where answers go: %v", a.to)
	}
}

// TestNobodyBecomesWhomTheyImpersonate: tokens outlive the request.
func TestNobodyBecomesWhomTheyImpersonate(t *testing.T) {
	s := serve(t, nil)
	for _, path := range []string{"/oauth/authorize?" + authorizeQuery().Encode(), "/oauth/logout"} {
		if a := s.get(path, "Authorization", basic("alice"), "Impersonate-User", "bob"); a.code != 403 || a.to != nil {
			t.Errorf("%s: %d %v", path, a.code, a.to)
		}
	}
}

// TestPageEscapes whatever a request, or a configuration, says.
func TestPageEscapes(t *testing.T) {
	const evil = `"><script>alert(1)</script>'&`
	s := serve(t, func(o *oauth.Options) {
		o.Clients = append(o.Clients, oauth.Client{Name: evil, Secret: "x", RedirectURIs: []string{redirectURI}, Consent: oauth.Prompt})
		o.Providers = []oauth.Provider{{Name: evil}}
	})
	b := s.browser()
	page := b.open("/oauth/authorize?" + with(authorizeQuery(), "client_id", evil, "state", evil, "scope", "openid <b>").Encode())
	wrong := b.send(formOf(page, "username", evil, "password", "x", "answer", "yes"))
	for _, a := range []answer{page, wrong} {
		if strings.Contains(a.body, "<script") || strings.Contains(a.body, "<b>") || !strings.Contains(a.body, "&lt;script&gt;") {
			t.Errorf("%d %s", a.code, a.body)
		}
	}
	if got := formOf(page).Get("state"); got != evil {
		t.Errorf("state became %q", got)
	}
}
