package oauth_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/oauth"
)

// visits is an identity provider with pages: the code good logs gina in.
type visits struct {
	users *people
	mu    sync.Mutex
	last  idp.Visit
}

func (v *visits) AuthorizeURL(_ context.Context, provider string, visit idp.Visit) (string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = visit
	return "https://github.example.com/authorize?" + values("state", visit.State).Encode(), nil
}

func (v *visits) Login(_ context.Context, provider string, visit idp.Visit, callback url.Values) (*account.Account, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch callback.Get("code") {
	case "good":
		if visit.Verifier != "" && visit != v.last {
			return nil, fmt.Errorf("another visit: %w", idp.ErrRefused)
		}
		return v.users.ByProvider("github", "42"), nil
	case "disabled":
		return v.users.Account("dora"), nil
	case "stranger":
		return nil, fmt.Errorf("cannot map: %w", idp.ErrNoAccount)
	case "down":
		return nil, fmt.Errorf("cannot ask: %w", idp.ErrUnavailable)
	}
	return nil, idp.ErrRefused
}

// records keeps login records.
type records struct {
	mu  sync.Mutex
	all []login.Record
}

func (r *records) Record(one login.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

func (r *records) last() login.Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) == 0 {
		return login.Record{}
	}
	return r.all[len(r.all)-1]
}

// serveProviders has the providers github, with pages, and corp, which takes passwords.
func serveProviders(t *testing.T, change func(o *oauth.Options)) (*server, *visits, *records) {
	v, r := new(visits), new(records)
	s := serve(t, func(o *oauth.Options) {
		o.Visits, o.Recorder, o.Providers = v, r, []oauth.Provider{{Name: "github", Pages: true}, {Name: "corp"}}
		v.users = o.Users.(*people)
		o.Passwords = o.Passwords.(*login.Checker).WithDirectory(corp{v.users})
		if change != nil {
			change(o)
		}
	})
	return s, v, r
}

// corp knows bob, by another password than we do.
type corp struct{ users *people }

func (c corp) Login(_ context.Context, provider, name, password string) (*account.Account, error) {
	if provider != "corp" || name != "robert" || password != "corp-password" {
		return nil, login.ErrWrong
	}
	return c.users.Account("bob"), nil
}

// depart follows the link of the login page to the provider, and gives the state it is sent.
func depart(b *browser) string {
	b.t.Helper()
	page := b.open("/oauth/authorize?" + authorizeQuery().Encode())
	_, link, _ := strings.Cut(page.body, `<a href="`)
	link, _, _ = strings.Cut(link, `"`)
	a := b.open(unescape.Replace(link))
	if a.code != 302 || a.to.Host != "github.example.com" {
		b.t.Fatalf("%q: %d %v %s", link, a.code, a.to, a.body)
	}
	return a.to.Query().Get("state")
}

func TestLoginAtAProvider(t *testing.T) {
	s, v, r := serveProviders(t, nil)
	b := s.browser()
	state := depart(b)
	if v.last.Redirect != s.url+"/oauth/callback/github" || len(v.last.Verifier) < 43 || v.last.Nonce == "" {
		t.Errorf("%+v", v.last)
	}
	back := "/oauth/callback/github?" + values("code", "good", "state", state).Encode()
	if a := s.browser().open(back); a.code != 400 || a.to != nil {
		t.Errorf("in another browser: %d %v", a.code, a.to)
	}
	a := b.open(back)
	if a.code != 302 || !strings.HasPrefix(a.to.String(), redirectURI) || a.to.Query().Get("state") != "st&te=1" {
		t.Fatalf("%d %v %s (%s)", a.code, a.to, a.body, s.why())
	}
	got := s.post("/oauth/token", codeForm(a.to.Query().Get("code")))
	if got.code != 200 || claimsOf(t, got.field("access_token"))["sub"] != "gina" {
		t.Errorf("%d %s", got.code, got.body)
	}
	if one := r.last(); one.User != "gina" || !one.Success || one.Kind != login.KindOAuth || one.Provider != "github" || one.SourceIP != "127.0.0.1" {
		t.Errorf("%+v", one)
	}
	if a := b.open(back); a.code != 400 {
		t.Errorf("a second time: %d", a.code)
	}
}

func TestProviderSaysNo(t *testing.T) {
	s, _, r := serveProviders(t, nil)
	for code, want := range map[string]string{"bad": "access_denied", "stranger": "access_denied", "disabled": "access_denied"} {
		b := s.browser()
		a := b.open("/oauth/callback/github?" + values("code", code, "state", depart(b)).Encode())
		if a.code != 302 || a.to.Query().Get("error") != want || a.to.Query().Get("state") != "st&te=1" {
			t.Errorf("%s: %d %v", code, a.code, a.to)
		}
		if code == "disabled" && (r.last().User != "dora" || r.last().Success) {
			t.Errorf("%+v", r.last())
		}
	}
	b := s.browser()
	if a := b.open("/oauth/callback/github?" + values("code", "down", "state", depart(b)).Encode()); a.code != 503 {
		t.Errorf("down: %d", a.code)
	}
	b = s.browser()
	depart(b)
	if a := b.open("/oauth/callback/github?code=good&state=x"); a.code != 400 || a.to != nil {
		t.Errorf("another state: %d %v", a.code, a.to)
	}
	for _, path := range []string{"/oauth/callback/corp?code=good", "/oauth/callback/nobody?code=good", "/oauth/login/nobody?" + authorizeQuery().Encode(), "/oauth/login/corp?" + authorizeQuery().Encode()} {
		if a := s.get(path); a.code != 404 {
			t.Errorf("%s: %d %s", path, a.code, a.body)
		}
	}
	if a := s.get("/oauth/login/github"); a.code != 400 {
		t.Errorf("a visit for nobody: %d", a.code)
	}
}

func TestConsentAfterAProvider(t *testing.T) {
	s, _, _ := serveProviders(t, nil)
	b := s.browser()
	to := b.open("/oauth/login/github?" + with(authorizeQuery(), "client_id", "asking").Encode()).to
	page := b.open("/oauth/callback/github?" + values("code", "good", "state", to.Query().Get("state")).Encode())
	if page.code != 200 || !strings.Contains(page.body, "You are gina.") {
		t.Fatalf("%d %s", page.code, page.body)
	}
	if a := b.send(formOf(page, "answer", "yes")); a.code != 303 || a.to.Query().Get("code") == "" {
		t.Errorf("%d %v", a.code, a.to)
	}
}

// TestBareCallbackIsASwitch: upstream's console begins visits itself, and asks for tokens without a browser.
func TestBareCallbackIsASwitch(t *testing.T) {
	const bare = "/oauth/callback/github?code=good&state=x"
	s, _, _ := serveProviders(t, nil)
	if a := s.get(bare); a.code != 400 || a.field("access_token") != "" {
		t.Errorf("by default: %d %s", a.code, a.body)
	}
	s, _, _ = serveProviders(t, func(o *oauth.Options) { o.BareCallback = true })
	a := s.get(bare)
	if a.code != 200 || claimsOf(t, a.field("access_token"))["sub"] != "gina" {
		t.Fatalf("%d %s", a.code, a.body)
	}
	if a := s.post("/oauth/token", refreshForm(a.field("refresh_token"))); a.code != 200 {
		t.Errorf("refreshing it: %d %s", a.code, a.body)
	}
	// A browser on a visit of its own is held to it.
	b := s.browser()
	depart(b)
	if a := b.open(bare); a.code != 400 {
		t.Errorf("with a visit: %d %s", a.code, a.body)
	}
}

func TestPasswordsOfAProvider(t *testing.T) {
	s, _, _ := serveProviders(t, nil)
	form := values("username", "robert", "password", "corp-password")
	a := s.post("/oauth/login/corp", form)
	if a.code != 200 || claimsOf(t, a.field("access_token"))["sub"] != "bob" {
		t.Fatalf("%d %s", a.code, a.body)
	}
	for name, c := range map[string]struct {
		path string
		form url.Values
		code int
	}{
		"wrong password":     {"/oauth/login/corp", with(form, "password", "x"), 400},
		"a client, wrongly":  {"/oauth/login/corp", with(form, "client_id", "console", "client_secret", "x"), 401},
		"a client":           {"/oauth/login/corp", with(form, "client_id", "console", "client_secret", "s3cret"), 200},
		"no such provider":   {"/oauth/login/nobody", form, 404},
		"one with pages":     {"/oauth/login/github", form, 404},
		"the password grant": {"/oauth/token", with(passwordForm("robert"), "password", "corp-password", "provider", "corp"), 200},
	} {
		if a := s.post(c.path, c.form); a.code != c.code {
			t.Errorf("%s: %d %s", name, a.code, a.body)
		}
	}
	b := s.browser()
	page := b.open("/oauth/authorize?" + authorizeQuery().Encode())
	if !strings.Contains(page.body, `<option value="corp">corp</option>`) {
		t.Errorf("%s", page.body)
	}
	if a := b.send(formOf(page, "username", "robert", "password", "corp-password", "provider", "corp", "answer", "yes")); a.code != 303 {
		t.Errorf("by the page: %d %s", a.code, a.body)
	}
}
