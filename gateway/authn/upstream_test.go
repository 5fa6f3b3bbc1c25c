package authn_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/token"
)

// The tests here are named after defects of ks-apiserver's authentication. Others of them are beside what they test:
// login.TestNoGuessGetsByTheThrottle, login.TestUnknownUsersAreThrottledAndNotRecorded, shared.TestReplicasShareWhatTheFirstHasMade,
// token.TestJWKSVerifiesIDTokens, TestNoHeaderThatSaysWhoAsksGoesOn, TestReloads.

func TestNoOtherTokenIsABearerToken(t *testing.T) {
	o := options(people())
	s := authn.New(o)
	for _, kind := range []token.Kind{token.Refresh, token.Code, ""} {
		c := &token.Claims{Kind: kind, Username: "alice"}
		c.Expiry = jwt.NewNumericDate(time.Now().Add(time.Hour))
		text, err := o.Keys.Keys().Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, ask(s, "/api", "Authorization", "Bearer "+text), "token of another kind")
	}
}

func TestNoTokenForSomebodyElse(t *testing.T) {
	o := options(people())
	s := authn.New(o)
	for reason, change := range map[string]func(*token.Claims){
		"invalid issuer": func(c *token.Claims) { c.Issuer = "https://another.example" },
		"somebody else":  func(c *token.Claims) { c.Audience = jwt.Audience{"another"} },
	} {
		c := &token.Claims{Kind: token.Static, Username: "alice"}
		change(c)
		text, err := o.Keys.Keys().Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		refused(t, ask(s, "/api", "Authorization", "Bearer "+text), reason)
	}
}

// A token of the time before a user's first login needs no user there, and could be anybody's here.
func TestNoUserWithoutAnAccount(t *testing.T) {
	o := options(people())
	refused(t, ask(authn.New(o), "/api", "Authorization", "Bearer "+issue(o.Keys, "system:pre-registration", time.Hour)), "no such user")
}

func TestNoCredentialTravelsOn(t *testing.T) {
	o := options(people())
	for _, value := range []string{"Bearer " + issue(o.Keys, "alice", time.Hour), basicAuth("alice", "P@ss:word")} {
		a := ask(authn.New(o), "/kapis/kubeedge.kubesphere.io/v1alpha1/nodes", "Authorization", value)
		if a.user == nil || len(a.header) != 0 {
			t.Errorf("%+v, passed on %v", a.user, a.header)
		}
	}
}

func TestNoPasswordIsHashedTwiceInAMinute(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := options(people())
	o.Logins = login.New(login.Options{Users: o.Users, Registerer: registry})
	u := o.Users.(*users)
	a := *u.Account("alice")
	a.Email = "alice@example.com"
	u.put(a)
	s := authn.New(o)
	for range 10 {
		for _, name := range []string{"alice", "alice@example.com"} {
			if a := ask(s, "/api", "Authorization", basicAuth(name, "P@ss:word")); a.user == nil || a.user.Name != "alice" {
				t.Fatalf("%s: %+v, %s", name, a.user, a.reason)
			}
		}
	}
	families, err := registry.Gather()
	if err != nil || families[0].Metric[0].Counter.GetValue() != 2 {
		t.Errorf("%v, %v", families, err)
	}
}

// A dictionary is tried as slowly through Basic authorization as through the login page.
func TestNoEndlessGuessing(t *testing.T) {
	o := options(people())
	count := &throttle{failed: map[string]int{}}
	o.Logins = login.New(login.Options{Users: o.Users, Throttle: count})
	s := authn.New(o)
	for i := range 8 {
		a := ask(s, "/api", "Authorization", basicAuth("alice", strings.Repeat("x", i+1)), "X-Forwarded-For", "203.0.113.9")
		if i < 5 {
			refused(t, a, "wrong user name or password")
		} else if a.resp.StatusCode() != 429 || string(a.resp.Header.Peek("Retry-After")) != "1800" || a.user != nil {
			t.Errorf("guess %d: %s", i, a.resp)
		}
	}
	if a := ask(s, "/api", "Authorization", basicAuth("lisa", "secret")); a.resp.StatusCode() != 429 {
		t.Errorf("locked by somebody else: %s", a.resp)
	}
}

// throttle locks a user for half an hour after five failures.
type throttle struct {
	mu     sync.Mutex
	failed map[string]int
}

func (c *throttle) Wait(_ context.Context, user, _ string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed[user] >= 5 {
		return 30 * time.Minute
	}
	return 0
}

func (c *throttle) Failed(_ context.Context, user, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed[user]++
}

func (c *throttle) Succeeded(context.Context, string, string) {}

// Who is given the name of somebody who has left does not get their sessions with it.
func TestNoTokenOfAUserOfBefore(t *testing.T) {
	o := options(people())
	u, text := o.Users.(*users), "Bearer "+issue(o.Keys, "alice", time.Hour)
	s := authn.New(o)
	a := *u.Account("alice")
	for created, good := range map[time.Time]bool{time.Now().Add(-time.Hour): true, time.Now(): true, time.Now().Add(time.Minute): false} {
		a.Created = created
		u.put(a)
		if got := ask(s, "/api", "Authorization", text); (got.user != nil) != good {
			t.Errorf("made at %v: %+v, %s", created, got.user, got.reason)
		}
	}
}
