package oauth_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/oauth"
)

// nobodyYet has no accounts until everybody has been read.
type nobodyYet struct {
	account.Users
	read *atomic.Bool
}

func (u nobodyYet) Account(name string) *account.Account {
	if !u.read.Load() {
		return nil
	}
	return u.Users.Account(name)
}

// A client that refreshes while the gateway starts must come again, not log its user out.
func TestRefreshWhileUsersHaveNotBeenRead(t *testing.T) {
	var read atomic.Bool
	s := serve(t, func(o *oauth.Options) {
		o.Users = nobodyYet{o.Users, &read}
		o.Ready = func() error {
			if read.Load() {
				return nil
			}
			return errors.New("users have not been read")
		}
	})
	form := refreshForm(s.login("alice").field("refresh_token"))
	if a := s.post("/oauth/token", form); a.code != 503 {
		t.Errorf("before: %d %s", a.code, a.body)
	}
	read.Store(true)
	if a := s.post("/oauth/token", form); a.code != 200 {
		t.Errorf("after: %d %s", a.code, a.body)
	}
}
