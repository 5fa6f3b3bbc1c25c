package oauth_test

import (
	"encoding/json"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"

	"github.com/posternhq/postern/gateway/account"
)

func review(version, text string) string {
	b, err := json.Marshal(map[string]any{"apiVersion": "authentication.k8s.io/" + version, "kind": "TokenReview", "spec": map[string]any{"token": text}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func (s *server) review(version, text string) authenticationv1.TokenReview {
	s.t.Helper()
	a := s.do("POST", "/oauth/authenticate", strings.NewReader(review(version, text)), "Content-Type", "application/json")
	var r authenticationv1.TokenReview
	if err := json.Unmarshal([]byte(a.body), &r); err != nil || a.code != 200 {
		s.t.Fatalf("%d %s", a.code, a.body)
	}
	return r
}

// TestTokenReview answers as kube-apiserver wants it, which takes anything but 200 and 201 for a broken webhook.
func TestTokenReview(t *testing.T) {
	s := serve(t, nil)
	a := s.login("alice")
	for _, version := range []string{"v1", "v1beta1"} {
		r := s.review(version, a.field("access_token"))
		if r.APIVersion != "authentication.k8s.io/"+version || r.Kind != "TokenReview" || !r.Status.Authenticated || r.Status.User.Username != "alice" || r.Status.User.UID != "u-1" {
			t.Errorf("%+v", r)
		}
	}
	no := func(name, text string) {
		t.Helper()
		if r := s.review("v1", text); r.Status.Authenticated || r.Status.User.Username != "" || r.Status.Error == "" {
			t.Errorf("%s: %+v", name, r.Status)
		}
	}
	no("nothing", "")
	no("no token", "abc")
	no("a refresh token", a.field("refresh_token"))
	no("a code", s.code(authorizeQuery()))
	alice := *s.users.Account("alice")
	alice.State = account.Disabled
	s.users.put(alice)
	no("a disabled user", a.field("access_token"))
	alice.State = account.Active
	s.users.put(alice)
	s.get("/oauth/logout", "Authorization", "Bearer "+a.field("access_token"))
	no("an ended session", a.field("access_token"))
	for _, body := range []string{"", "{", "[]", `{"kind":"TokenReview","apiVersion":"v1"}`, `{"kind":"Pod","apiVersion":"authentication.k8s.io/v1"}`} {
		if a := s.do("POST", "/oauth/authenticate", strings.NewReader(body)); a.code != 400 || a.field("kind") != "Status" {
			t.Errorf("%q: %d %s", body, a.code, a.body)
		}
	}
}
