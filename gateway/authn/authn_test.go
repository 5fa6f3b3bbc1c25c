package authn_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("a secret of more than 32 bytes, for tests")

// users is a store that tests change.
type users struct {
	mu  sync.Mutex
	m   map[string]*account.Account
	all *account.Directory
}

func (u *users) Account(name string) *account.Account { return u.directory().Account(name) }

func (u *users) ByEmail(email string) *account.Account { return u.directory().ByEmail(email) }

func (u *users) ByProvider(provider, uid string) *account.Account {
	return u.directory().ByProvider(provider, uid)
}

func (u *users) directory() *account.Directory {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.all == nil {
		u.all = account.NewDirectory(slices.Collect(maps.Values(u.m)))
	}
	return u.all
}

func (u *users) put(a account.Account) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.m[a.Name], u.all = &a, nil
}

func (u *users) remove(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.m, name)
	u.all = nil
}

// hash is cheap: 1 ms instead of 60.
func hash(password string) string {
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(h)
}

func people() *users {
	u := &users{m: map[string]*account.Account{}}
	u.put(account.Account{Name: "alice", UID: "u-1", PasswordHash: hash("P@ss:word"), Groups: []string{"devs"}, State: account.Active})
	u.put(account.Account{Name: "dora", PasswordHash: hash("secret"), State: account.Disabled})
	u.put(account.Account{Name: "lisa", PasswordHash: hash("secret"), State: account.AuthLimitExceeded})
	u.put(account.Account{Name: "nora", PasswordHash: hash("secret")})
	u.put(account.Account{Name: "paul", PasswordHash: "plain", State: account.Active})
	u.put(account.Account{Name: "sly", PasswordHash: hash("secret"), Groups: []string{"system:masters", "postern:decided", "ops", ""}, State: account.Active})
	return u
}

func options(u *users) authn.Options {
	return authn.Options{
		Users: u, AllowAnonymous: true, Keys: ring(token.Options{Secret: secret, Issuer: "kubesphere", Skew: 10 * time.Second}), MaxAge: 2 * time.Hour,
		ReservedGroups: []string{"postern:decided"},
	}
}

// ring has keys in force.
func ring(o token.Options) *token.Ring {
	keys, err := token.New(o)
	if err != nil {
		panic(err)
	}
	r := new(token.Ring)
	r.Set(keys)
	return r
}

// issue makes an access token that is good for a while; with 0, for ever.
func issue(r *token.Ring, user string, life time.Duration) string {
	c := &token.Claims{Kind: token.Access, Username: user}
	if life > 0 {
		c.Expiry = jwt.NewNumericDate(time.Now().Add(life))
	}
	text, err := r.Keys().Sign(c)
	if err != nil {
		panic(err)
	}
	return text
}

// answer is what a request came to.
type answer struct {
	user   *exchange.User // nil: not passed on
	resp   *fasthttp.Response
	reason string
	header map[string]string // of the request that was passed on
}

// ask sends a request with header lines.
func ask(s *authn.Stage, path string, lines ...string) (a answer) {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.SetRequestURI(path)
	for i := 0; i < len(lines); i += 2 {
		ctx.Request.Header.Add(lines[i], lines[i+1])
	}
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.Info.Path = path
		s.Serve(x, func(x *exchange.Exchange) {
			a.user, a.header = x.User, map[string]string{}
			for k, v := range x.HTTP.Request.Header.All() {
				a.header[string(k)] += string(v)
			}
		})
		a.reason = x.Reason
	})
	a.resp = &ctx.Response
	return a
}

func basicAuth(name, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
}

func TestBasic(t *testing.T) {
	s := authn.New(options(people()))
	for _, c := range []struct{ name, header, user, reason string }{
		{"right", basicAuth("alice", "P@ss:word"), "alice", ""},
		{"scheme in capitals", "BASIC " + basicAuth("alice", "P@ss:word")[6:], "alice", ""},
		{"two spaces", "Basic  " + basicAuth("alice", "P@ss:word")[6:], "alice", ""},
		{"wrong password", basicAuth("alice", "other"), "", "wrong user name or password"},
		{"empty password", basicAuth("alice", ""), "", "wrong user name or password"},
		{"unknown user", basicAuth("bob", "P@ss:word"), "", "wrong user name or password"},
		{"disabled", basicAuth("dora", "secret"), "", "user is not active"},
		{"not looked at yet", basicAuth("nora", "secret"), "", "user is not active"},
		{"disabled, wrong password", basicAuth("dora", "x"), "", "wrong user name or password"},
		{"password not hashed", basicAuth("paul", "plain"), "", "wrong user name or password"},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("alice")), "", "malformed credentials"},
		{"no name", basicAuth("", "x"), "", "malformed credentials"},
		{"not base64", "Basic !!!!", "", "malformed credentials"},
		{"nothing", "Basic", "", "malformed credentials"},
		{"long header", "Basic " + strings.Repeat("QUJD", 1000), "", "credentials too long"},
		{"long name", basicAuth(strings.Repeat("a", 254), "x"), "", "credentials too long"},
		{"long password", basicAuth("alice", strings.Repeat("a", 1025)), "", "credentials too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ask(s, "/api", "Authorization", c.header)
			if c.user == "" {
				refused(t, a, c.reason)
				return
			}
			if a.user == nil || a.user.Name != c.user || a.user.Method != authn.Basic || a.user.UID != "u-1" || !slices.Equal(a.user.Groups, []string{"devs", "system:authenticated"}) {
				t.Errorf("user %+v, answer %s", a.user, a.resp)
			}
		})
	}
}

// refused checks that an answer is a 401 that tells the client nothing.
func refused(t *testing.T, a answer, reason string) {
	t.Helper()
	var st struct{ Kind, Reason, Message string }
	if err := json.Unmarshal(a.resp.Body(), &st); err != nil {
		t.Fatalf("%v: %s", err, a.resp.Body())
	}
	if a.user != nil || a.resp.StatusCode() != 401 || st.Kind != "Status" || st.Reason != "Unauthorized" || st.Message != "Unauthorized" {
		t.Errorf("user %+v, code %d, %+v", a.user, a.resp.StatusCode(), st)
	}
	if !strings.Contains(a.reason, reason) {
		t.Errorf("reason %q, want %q", a.reason, reason)
	}
}

func TestOtherAuthorization(t *testing.T) {
	s := authn.New(options(people()))
	good := basicAuth("alice", "P@ss:word")
	refused(t, ask(s, "/api", "Authorization", good, "Authorization", good), "more than one")
	refused(t, ask(s, "/api", "Authorization", good, "authorization", good), "more than one")
	refused(t, ask(s, "/api", "Authorization", "Negotiate YII="), "unknown authorization scheme")
	refused(t, ask(s, "/api", "Authorization", ""), "unknown authorization scheme")
	refused(t, ask(s, "/api", "Authorization", "Bearer"), "malformed")
	refused(t, ask(s, "/api", "Authorization", "Bearer "+strings.Repeat("x", 16<<10+1)), "too long")
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf("X-Remote-Extra-%d", i), "x")
	}
	refused(t, ask(s, "/api", many...), "too many headers")
	if a := ask(s, "/api", many[2:]...); a.user == nil || len(a.header) != 0 {
		t.Errorf("64 headers: user %+v, passed on %v", a.user, a.header)
	}
	refused(t, ask(s, "/healthz", "Authorization", "Bearer x.y.z"), "cannot parse token")
}

func TestAnonymous(t *testing.T) {
	o := options(people())
	a := ask(authn.New(o), "/api")
	if a.user == nil || a.user.Name != "system:anonymous" || !slices.Equal(a.user.Groups, []string{"system:unauthenticated"}) || a.user.Method != authn.Anonymous {
		t.Errorf("user %+v", a.user)
	}
	o.AllowAnonymous, o.Open = false, func(path string) bool { return path == "/oauth/token" }
	s := authn.New(o)
	refused(t, ask(s, "/api"), "no credentials")
	if a := ask(s, "/oauth/token"); a.user == nil || a.user.Name != "system:anonymous" {
		t.Errorf("open path: %+v", a.user)
	}
}

func TestChallenge(t *testing.T) {
	s := authn.New(options(people()))
	for accept, want := range map[string]string{"": "Bearer ", "application/json": "Bearer ", "text/html,*/*;q=0.8": "Basic "} {
		a := ask(s, "/api", "Authorization", "x", "Accept", accept)
		if got := string(a.resp.Header.Peek("WWW-Authenticate")); !strings.HasPrefix(got, want) {
			t.Errorf("Accept %q: %q", accept, got)
		}
	}
}

func TestNoHeaderThatSaysWhoAsksGoesOn(t *testing.T) {
	s := authn.New(options(people()))
	for _, authorization := range []string{basicAuth("alice", "P@ss:word"), ""} {
		lines := []string{
			"X-Remote-User", "root", "x-remote-group", "system:masters", "X-REMOTE-EXTRA-a", "b", "X_Remote_User", "root",
			"X-KubeSphere-Authorization", "Basic x", "X-Kubesphere-Rawquery", "a=b", "X-Remote-User", "again",
			"X-Remotely", "stays", "X-Forwarded-For", "192.0.2.1", "Accept", "application/json", "Impersonate-User", "has a stage of its own",
		}
		if authorization != "" {
			lines = append(lines, "Authorization", authorization)
		}
		a := ask(s, "/api", lines...)
		var left []string
		for k := range a.header {
			left = append(left, k)
		}
		slices.Sort(left)
		if want := []string{"Accept", "Impersonate-User", "X-Forwarded-For", "X-Remotely"}; !slices.Equal(left, want) {
			t.Errorf("passed on %q, want %q", left, want)
		}
	}
}

// The listener may keep header names as they came.
func TestHeaderNamesAsTheyCame(t *testing.T) {
	s := authn.New(options(people()))
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.DisableNormalizing()
	ctx.Request.Header.Add("aUTHORIZATION", basicAuth("alice", "P@ss:word"))
	ctx.Request.Header.Add("x-rEMOTE-uSER", "root")
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		s.Serve(x, func(x *exchange.Exchange) {
			if x.User.Name != "alice" {
				t.Errorf("user %+v", x.User)
			}
		})
	})
	for k := range ctx.Request.Header.All() {
		t.Errorf("%q goes on", k)
	}
	if ctx.Response.StatusCode() != 200 {
		t.Error(ctx.Response.StatusCode())
	}
}

func TestReservedGroups(t *testing.T) {
	a := ask(authn.New(options(people())), "/api", "Authorization", basicAuth("sly", "secret"))
	if a.user == nil || !slices.Equal(a.user.Groups, []string{"ops", "system:authenticated"}) {
		t.Errorf("user %+v", a.user)
	}
}

func TestPasswordsAreCheckedOnce(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := options(people())
	u := o.Users.(*users)
	o.Logins = login.New(login.Options{Users: u, Registerer: registry})
	s := authn.New(o)
	step := func(what string, want float64, user bool, password string) {
		t.Helper()
		if a := ask(s, "/api", "Authorization", basicAuth("alice", password)); (a.user != nil) != user {
			t.Errorf("%s: user %+v", what, a.user)
		}
		families, err := registry.Gather()
		if err != nil || len(families) != 1 {
			t.Fatal(families, err)
		}
		if n := families[0].Metric[0].Counter.GetValue(); n != want {
			t.Errorf("%s: %v checks, want %v", what, n, want)
		}
	}
	step("first", 1, true, "P@ss:word")
	step("again", 1, true, "P@ss:word")
	step("another password", 2, false, "other")
	a := *u.Account("alice")
	a.Groups = []string{"ops"}
	u.put(a)
	step("groups changed", 2, true, "P@ss:word")
	if got := ask(s, "/api", "Authorization", basicAuth("alice", "P@ss:word")).user.Groups[0]; got != "ops" {
		t.Errorf("group %q", got)
	}
	s = authn.New(o) // a reload
	step("another configuration", 2, true, "P@ss:word")
	a.State = account.Disabled
	u.put(a)
	step("disabled", 2, false, "P@ss:word")
	a.State, a.PasswordHash = account.Active, hash("new")
	u.put(a)
	step("old password", 3, false, "P@ss:word")
	step("new password", 4, true, "new")
	u.remove("alice")
	step("deleted", 5, false, "new")
}

func TestLookup(t *testing.T) {
	s := authn.New(options(people()))
	if u, err := s.Lookup("alice"); err != nil || u.Name != "alice" || !slices.Contains(u.Groups, "devs") {
		t.Errorf("alice: %+v, %v", u, err)
	}
	if u, err := s.Lookup("system:anonymous"); err != nil || u.Groups[0] != "system:unauthenticated" {
		t.Errorf("anonymous: %+v, %v", u, err)
	}
	for name, state := range map[string]string{"bob": `"bob"`, "dora": `"Disabled"`, "nora": `""`} {
		if _, err := s.Lookup(name); err == nil || !strings.Contains(err.Error(), state) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := authn.New(authn.Options{}).Lookup("alice"); err == nil || errors.Unwrap(err) == nil {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	o := options(people())
	if f := authn.New(o).Explain(&exchange.Exchange{User: &exchange.User{Name: "alice"}}); f.Stage != "authn" || f.Verdict != exchange.Pass || f.Reason != "user alice" {
		t.Errorf("%+v", f)
	}
	if f := authn.New(o).Explain(&exchange.Exchange{}); f.Verdict != exchange.Pass || f.Reason != "no user given; without credentials it is system:anonymous" {
		t.Errorf("%+v", f)
	}
	o.AllowAnonymous = false
	if f := authn.New(o).Explain(&exchange.Exchange{}); f.Verdict != exchange.Pass || !strings.Contains(f.Reason, "401") {
		t.Errorf("%+v", f)
	}
}
