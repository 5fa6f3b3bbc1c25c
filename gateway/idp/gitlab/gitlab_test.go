package gitlab

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

// login visits a service that answers in the shapes of GitLab's documentation, which is all there is to test against here.
func login(t *testing.T, code, user string) (idp.Identity, error) {
	t.Helper()
	challenge := ""
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.FormValue("client_id") != "postern" || r.FormValue("client_secret") != "secret" || r.FormValue("grant_type") != "authorization_code" ||
			r.FormValue("code") != "good" || oauth2.S256ChallengeFromVerifier(r.FormValue("code_verifier")) != challenge {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"The provided authorization grant is invalid, expired, revoked …"}`))
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"glat","token_type":"Bearer","expires_in":7200,"refresh_token":"r","scope":"read_user","created_at":1607635748}`))
	})
	mux.HandleFunc("GET /api/v4/user", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer glat" {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte(user))
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	p, err := Type.New(json.RawMessage(`{"clientID":"postern","clientSecret":"secret","baseURL":"` + s.URL + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	v := idp.Visit{State: "state", Verifier: oauth2.GenerateVerifier(), Redirect: "https://postern.example/oauth/callback/gitlab"}
	to, err := p.(idp.OAuthProvider).AuthorizeURL(ctx, v)
	u, _ := url.Parse(to)
	if err != nil || !strings.HasPrefix(to, s.URL+"/oauth/authorize?") || u.Query().Get("scope") != "read_user" {
		t.Errorf("the browser goes to %s, %v", to, err)
	}
	challenge = u.Query().Get("code_challenge")
	return p.(idp.OAuthProvider).Exchange(ctx, v, url.Values{"code": {code}})
}

func TestGitLab(t *testing.T) {
	const confirmed = `{"id":1,"username":"john_smith","email":"john@example.com","name":"John Smith","state":"active","confirmed_at":"2012-05-23T09:05:22Z","two_factor_enabled":true}`
	for what, c := range map[string]struct {
		code, user, email string
		refused           bool
	}{
		"confirmed":            {"good", confirmed, "john@example.com", false},
		"not confirmed":        {"good", strings.Replace(confirmed, `"2012-05-23T09:05:22Z"`, "null", 1), "", false},
		"nothing on confirmed": {"good", `{"id":1,"username":"john_smith","email":"john@example.com","name":"John Smith","state":"active"}`, "", false},
		"blocked":              {"good", strings.Replace(confirmed, "active", "blocked", 1), "", true},
		"no number":            {"good", strings.Replace(confirmed, `"id":1`, `"id":0`, 1), "", true},
		"wrong code":           {"bad", confirmed, "", true},
		"another shape":        {"good", `"hello"`, "", true},
	} {
		id, err := login(t, c.code, c.user)
		switch {
		case c.refused && (!errors.Is(err, idp.ErrRefused) || id.UID != ""):
			t.Errorf("%s: %+v, %v", what, id, err)
		case !c.refused && (err != nil || id.UID != "1" || id.Name != "john_smith" || id.DisplayName != "John Smith" || id.Email != c.email):
			t.Errorf("%s: %+v, %v", what, id, err)
		}
	}
}

func TestOptions(t *testing.T) {
	p, err := Type.New(json.RawMessage(`{"clientID":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if e := p.(*provider).flow.Options.Endpoint; e.AuthURL != "https://gitlab.com/oauth/authorize" || e.UserInfoURL != "https://gitlab.com/api/v4/user" {
		t.Errorf("%+v", e)
	}
	for options, key := range map[string]string{`{}`: "clientID", `{"clientID":"x","baseURL":""}`: "baseURL", `{"clientID":"x","organization":"o"}`: "organization"} {
		var wrong *idp.OptionError
		if _, err := Type.New(json.RawMessage(options)); !errors.As(err, &wrong) || wrong.Key != key {
			t.Errorf("%s: %v", options, err)
		}
	}
}
