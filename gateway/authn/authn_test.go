package authn_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var secret = []byte("a secret of more than 32 bytes, for tests")

// users is a store that tests change.
type users struct {
	mu sync.Mutex
	m  map[string]*authn.Account
}

func (u *users) Account(name string) *authn.Account {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.m[name]
}

func (u *users) put(a authn.Account) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.m[a.Name] = &a
}

func (u *users) remove(name string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.m, name)
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
	u := &users{m: map[string]*authn.Account{}}
	u.put(authn.Account{Name: "alice", UID: "u-1", PasswordHash: hash("P@ss:word"), Groups: []string{"devs"}, State: authn.Active})
	u.put(authn.Account{Name: "dora", PasswordHash: hash("secret"), State: authn.Disabled})
	u.put(authn.Account{Name: "lisa", PasswordHash: hash("secret"), State: authn.AuthLimitExceeded})
	u.put(authn.Account{Name: "nora", PasswordHash: hash("secret")})
	u.put(authn.Account{Name: "paul", PasswordHash: "plain", State: authn.Active})
	u.put(authn.Account{Name: "sly", PasswordHash: hash("secret"), Groups: []string{"system:masters", "postern:decided", "ops", ""}, State: authn.Active})
	return u
}

func options(u authn.Users) authn.Options {
	return authn.Options{
		Users: u, AllowAnonymous: true, Secret: secret, Issuer: "kubesphere", ClockSkew: 10 * time.Second, MaxAge: 2 * time.Hour,
		ReservedGroups: []string{"postern:decided"},
	}
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
		{"locked", basicAuth("lisa", "secret"), "", "user is not active"},
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
	o.Metrics = authn.NewMetrics(registry)
	u := o.Users.(*users)
	s := authn.New(o)
	checks := func() float64 {
		n, err := testutil.GatherAndCount(registry, "postern_authn_password_checks_total")
		if err != nil || n != 1 {
			t.Fatal(n, err)
		}
		families, _ := registry.Gather()
		for _, f := range families {
			if f.GetName() == "postern_authn_password_checks_total" {
				return f.Metric[0].Counter.GetValue()
			}
		}
		return -1
	}
	step := func(what string, want float64, user bool, password string) {
		t.Helper()
		if a := ask(s, "/api", "Authorization", basicAuth("alice", password)); (a.user != nil) != user {
			t.Errorf("%s: user %+v", what, a.user)
		}
		if n := checks(); n != want {
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
	a.State = authn.Disabled
	u.put(a)
	step("disabled", 2, false, "P@ss:word")
	a.State, a.PasswordHash = authn.Active, hash("new")
	u.put(a)
	step("old password", 3, false, "P@ss:word")
	step("new password", 4, true, "new")
	u.remove("alice")
	step("deleted", 5, false, "new")
}

func TestUnknownUsersTakeAsManyChecks(t *testing.T) {
	registry := prometheus.NewRegistry()
	o := options(people())
	o.Metrics = authn.NewMetrics(registry)
	ask(authn.New(o), "/api", "Authorization", basicAuth("nobody", "x"))
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP postern_authn_password_checks_total Passwords compared with a bcrypt hash.
# TYPE postern_authn_password_checks_total counter
postern_authn_password_checks_total 1
`), "postern_authn_password_checks_total"); err != nil {
		t.Error(err)
	}
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
