package github

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/posternhq/postern/gateway/idp"
)

// service answers in the shapes of GitHub's documentation, which is all there is to test against: there is no GitHub to run.
type service struct {
	*httptest.Server
	challenge string
	user      string // what /user says
	emails    string // what /user/emails says; empty: 404, as without the scope
	status    int    // of the API; 0: as it should be
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{user: `{"login":"ada","id":1815,"name":"Ada Lovelace","email":"shown@example.org","type":"User"}`}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/oauth/access_token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		verifier := r.FormValue("code_verifier")
		switch { // GitHub answers 200 to wrong codes, too
		case r.FormValue("client_id") != "postern" || r.FormValue("client_secret") != "secret":
			_, _ = w.Write([]byte(`{"error":"incorrect_client_credentials","error_description":"The client_id and/or client_secret passed are incorrect."}`))
		case r.FormValue("code") != "good" || oauth2.S256ChallengeFromVerifier(verifier) != s.challenge:
			_, _ = w.Write([]byte(`{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}`))
		default:
			_, _ = w.Write([]byte(`{"access_token":"gho_x","scope":"read:user,user:email","token_type":"bearer"}`))
		}
	})
	api := func(path string, text *string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("Authorization") != "Bearer gho_x":
				w.WriteHeader(http.StatusUnauthorized)
			case s.status != 0:
				w.Header().Set("Location", "https://elsewhere.example/")
				w.WriteHeader(s.status)
			case *text == "":
				w.WriteHeader(http.StatusNotFound)
			default:
				_, _ = w.Write([]byte(*text))
			}
		})
	}
	api("/api/v3/user", &s.user)
	api("/api/v3/user/emails", &s.emails)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// login is a visit to the service, whose page is skipped.
func (s *service) login(t *testing.T, code string) (idp.Identity, error) {
	t.Helper()
	p, err := Type.New(json.RawMessage(`{"clientID":"postern","clientSecret":"secret","baseURL":"` + s.URL + `/"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	v := idp.Visit{State: "state", Verifier: oauth2.GenerateVerifier(), Redirect: "https://postern.example/oauth/callback/github"}
	to, err := p.(idp.OAuthProvider).AuthorizeURL(ctx, v)
	u, _ := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, s.URL+"/login/oauth/authorize?") || u.Query().Get("state") != "state" || u.Query().Get("scope") != "read:user user:email" {
		t.Errorf("the browser goes to %s, %v", to, err)
	}
	s.challenge = u.Query().Get("code_challenge")
	return p.(idp.OAuthProvider).Exchange(ctx, v, url.Values{"code": {code}})
}

func TestGitHub(t *testing.T) {
	s := newService(t)
	for what, c := range map[string]struct{ emails, want string }{
		"verified":     {`[{"email":"old@example.org","primary":false,"verified":true},{"email":"ada@example.org","primary":true,"verified":true}]`, "ada@example.org"},
		"not verified": {`[{"email":"ada@example.org","primary":true,"verified":false},{"email":"old@example.org","primary":false,"verified":true}]`, ""},
		"no scope":     {"", ""},
		"none":         {"[]", ""},
	} {
		s.emails = c.emails
		id, err := s.login(t, "good")
		if err != nil || id.UID != "1815" || id.Name != "ada" || id.DisplayName != "Ada Lovelace" || id.Email != c.want {
			t.Errorf("%s: %+v, %v", what, id, err)
		}
	}
}

// TestNoTakeoverByRename: upstream links accounts to logins, which can be changed and are then free for others.
func TestNoTakeoverByRename(t *testing.T) {
	s := newService(t)
	first, err := s.login(t, "good")
	if err != nil {
		t.Fatal(err)
	}
	s.user = `{"login":"ada","id":2000}`
	second, err := s.login(t, "good")
	if err != nil || second.UID == first.UID || second.Name != first.Name {
		t.Errorf("%+v and %+v, %v", first, second, err)
	}
}

func TestGitHubRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		change func(s *service)
		code   string
		want   error
	}{
		"wrong code":        {func(*service) {}, "bad", idp.ErrRefused},
		"no code":           {func(*service) {}, "", idp.ErrRefused},
		"no user":           {func(s *service) { s.user = `{"message":"hello"}` }, "good", idp.ErrRefused},
		"another shape":     {func(s *service) { s.user = `[]` }, "good", idp.ErrRefused},
		"no JSON":           {func(s *service) { s.user = `<html>` }, "good", idp.ErrRefused},
		"overloaded":        {func(s *service) { s.status = 502 }, "good", idp.ErrUnavailable},
		"too many requests": {func(s *service) { s.status = 429 }, "good", idp.ErrUnavailable},
		"forbidden":         {func(s *service) { s.status = 403 }, "good", idp.ErrRefused},
		"sent elsewhere":    {func(s *service) { s.status = 302 }, "good", idp.ErrUnavailable},
		"too long":          {func(s *service) { s.user = `{"id":1,"login":"` + strings.Repeat("x", 1<<20) + `"}` }, "good", idp.ErrUnavailable},
		"gone":              {func(s *service) { s.Close() }, "good", idp.ErrUnavailable},
	} {
		s := newService(t)
		c.change(s)
		if id, err := s.login(t, c.code); !errors.Is(err, c.want) || id.UID != "" || strings.Contains(err.Error(), "good") {
			t.Errorf("%s: %+v, %v", what, id, err)
		}
	}
}

func TestOptions(t *testing.T) {
	p, err := Type.New(json.RawMessage(`{"clientid":"x","endpoint":{"tokenURL":"https://proxy.example/token"}}`))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if e := p.(*provider).flow.Options.Endpoint; e.AuthURL != "https://github.com/login/oauth/authorize" || e.TokenURL != "https://proxy.example/token" || e.UserInfoURL != "https://api.github.com/user" {
		t.Errorf("%+v", e)
	}
	if _, err := p.(idp.OAuthProvider).AuthorizeURL(t.Context(), idp.Visit{}); !errors.Is(err, idp.ErrUnavailable) {
		t.Errorf("without a URL to come back to: %v", err)
	}
	for options, key := range map[string]string{
		`{}`:                                  "clientID",
		`{"clientID":"x","baseURL":"github"}`: "baseURL",
		`{"clientID":"x","endpoint":{"jwksURL":"https://a.example"}}`: "endpoint.jwksURL",
		`{"clientID":"x","redirectURL":"/x"}`:                         "redirectURL",
		`{"clientID":"x","rootCA":"/no/such/file"}`:                   "rootCA",
		`{"clientID":"x","rootCAData":"eA=="}`:                        "rootCAData",
		`{"clientID":"x","scopes":"user"}`:                            "scopes",
	} {
		var wrong *idp.OptionError
		if _, err := Type.New(json.RawMessage(options)); !errors.As(err, &wrong) || wrong.Key != key {
			t.Errorf("%s: %v", options, err)
		}
	}
}
