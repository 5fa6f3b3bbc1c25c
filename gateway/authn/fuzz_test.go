package authn_test

import (
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/authn"
)

// Whatever stands in the header, the answer is 401 or one of the two users whose credentials were given.
func FuzzAuthorization(f *testing.F) {
	o := options(people())
	text := issue(o.Keys, "lisa", 24*time.Hour)
	s := authn.New(o)
	good := map[string]string{"alice": basicAuth("alice", "P@ss:word"), "lisa": "Bearer " + text}
	for _, seed := range []string{good["alice"], good["lisa"], "", " ", "Basic", "basic \x00", "Bearer a.b.c", "Basic OjpAOg==", "Bearer " + text + ".", "Digest x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		a := ask(s, "/api", "Authorization", value)
		switch {
		case a.user == nil && a.resp.StatusCode() != 401:
			t.Errorf("%q: %d", value, a.resp.StatusCode())
		case a.user != nil && good[a.user.Name] == "":
			t.Errorf("%q: %+v", value, a.user)
		}
	})
}
