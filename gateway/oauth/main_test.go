package oauth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rs/zerolog"
	"github.com/valyala/fasthttp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/oauth"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/gateway/session"
	"github.com/posternhq/postern/gateway/token"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

var (
	secret = []byte("a secret of more than 32 bytes, for tests")
	signer = sync.OnceValue(func() *rsa.PrivateKey {
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		return k
	})
	hash = sync.OnceValue(func() string {
		h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			panic(err)
		}
		return string(h)
	})
)

const password = "P@88w0rd"

// people is a store of accounts that tests change.
type people struct {
	mu sync.Mutex
	d  *account.Directory
	m  map[string]account.Account
}

func newPeople() *people {
	p := &people{m: map[string]account.Account{}}
	p.put(account.Account{Name: "alice", UID: "u-1", Email: "alice@example.com", Lang: "en", DisplayName: "Alice A.", PasswordHash: hash(), State: account.Active})
	p.put(account.Account{Name: "bob", UID: "u-2", PasswordHash: hash(), State: account.Active})
	p.put(account.Account{Name: "dora", UID: "u-3", PasswordHash: hash(), State: account.Disabled})
	p.put(account.Account{Name: "gina", UID: "u-4", State: account.Active, Provider: "github", ProviderUID: "42"})
	return p
}

func (p *people) put(a account.Account) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.m[a.Name] = a
	p.index()
}

func (p *people) remove(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.m, name)
	p.index()
}

func (p *people) index() {
	var all []*account.Account
	for _, a := range p.m {
		all = append(all, &a)
	}
	p.d = account.NewDirectory(all)
}

func (p *people) now() *account.Directory {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.d
}

func (p *people) Account(name string) *account.Account         { return p.now().Account(name) }
func (p *people) ByEmail(email string) *account.Account        { return p.now().ByEmail(email) }
func (p *people) ByProvider(name, uid string) *account.Account { return p.now().ByProvider(name, uid) }

// store is the store of sessions, which can be down.
type store struct {
	*session.Keeper
	mu   sync.Mutex
	down error
}

var errDown = errors.New("the store is down")

func (s *store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = err
}

func (s *store) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.down
}

func (s *store) EndSession(ctx context.Context, id string, until time.Time) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Keeper.EndSession(ctx, id, until)
}

func (s *store) EndUser(ctx context.Context, user, keep string, until time.Time) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Keeper.EndUser(ctx, user, keep, until)
}

func (s *store) EndOlder(ctx context.Context, user, id string, until time.Time) error {
	if err := s.err(); err != nil {
		return err
	}
	return s.Keeper.EndOlder(ctx, user, id, until)
}

func (s *store) Once(ctx context.Context, id string, until time.Time) (bool, error) {
	if err := s.err(); err != nil {
		return false, err
	}
	return s.Keeper.Once(ctx, id, until)
}

// server is the OAuth server behind authentication, on loopback.
type server struct {
	t      *testing.T
	url    string
	users  *people
	store  *store
	ring   *token.Ring
	client *http.Client // follows no redirect
	mu     sync.Mutex
	reason string // of the last refusal
}

const redirectURI = "https://console.example.com/callback"

// clients are those of every test: a console with a secret, a public program, and some with settings.
func clients() []oauth.Client {
	life := func(c oauth.Client) oauth.Client {
		c.MaxAge, c.Inactivity = 2*time.Hour, 2*time.Hour
		return c
	}
	return []oauth.Client{
		life(oauth.Client{Name: "console", Secret: "s3cret", RedirectURIs: []string{redirectURI, redirectURI + "?x=1", "https://console.example.com/bye"}}),
		life(oauth.Client{Name: "cli", RedirectURIs: []string{"http://127.0.0.1/cb"}}),
		life(oauth.Client{Name: "other", Secret: "0ther", RedirectURIs: []string{"https://other.example.com/"}}),
		life(oauth.Client{Name: "open", Secret: "0pen", RedirectURIs: []string{"*"}}),
		life(oauth.Client{Name: "asking", Secret: "ask", RedirectURIs: []string{redirectURI}, Consent: oauth.Prompt}),
		life(oauth.Client{Name: "denied", Secret: "no", RedirectURIs: []string{redirectURI}, Consent: oauth.Deny}),
		life(oauth.Client{Name: "narrow", Secret: "few", RedirectURIs: []string{redirectURI}, Scopes: []string{"openid", "email"}}),
		{Name: "brief", Secret: "brief", RedirectURIs: []string{redirectURI}, MaxAge: time.Minute, Inactivity: time.Minute},
		{Name: "endless", Secret: "endless", RedirectURIs: []string{redirectURI}},
	}
}

// serve starts a server; change may change its options, and gets its URL. The issuer is the URL unless change says else.
func serve(t *testing.T, change func(o *oauth.Options)) *server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, url: "http://" + ln.Addr().String(), users: newPeople(), ring: new(token.Ring)}
	s.store = &store{Keeper: session.New(session.Options{Settings: session.Settings{MaxTries: 3, Window: time.Hour}, Log: zerolog.Nop()})}
	s.client = &http.Client{Transport: &http.Transport{}, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	logins := login.New(login.Options{Users: s.users, Throttle: s.store})
	o := oauth.Options{
		Keys: s.ring, Users: s.users, Passwords: logins, Sessions: s.store, Issuer: s.url, Clients: clients(),
		MaxAge: 2 * time.Hour, Inactivity: 2 * time.Hour, MultipleLogin: true,
	}
	if change != nil {
		change(&o)
	}
	s.setKeys(o.Issuer)
	who := authn.New(authn.Options{
		Users: s.users, AllowAnonymous: true, Open: authz.Open, Leave: oauth.Ours, Logins: logins, Keys: s.ring, Sessions: s.store, MaxAge: o.MaxAge,
	})
	what, answers := requestinfo.New(), oauth.New(o)
	handler := &fasthttp.Server{StreamRequestBody: true, Handler: func(ctx *fasthttp.RequestCtx) {
		exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
			what.Serve(x, func(x *exchange.Exchange) {
				who.Serve(x, func(x *exchange.Exchange) {
					if string(ctx.Request.Header.Peek("Impersonate-User")) != "" {
						x.Impersonator, x.User = x.User, &exchange.User{Name: "bob", Method: "impersonation"}
					}
					answers.Serve(x, func(x *exchange.Exchange) { x.HTTP.SetStatusCode(404); x.HTTP.SetBodyString("passed on") })
				})
			})
			s.mu.Lock()
			s.reason = x.Reason
			s.mu.Unlock()
		})
	}}
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			ended.Go(func() { // without fasthttp's pool of workers, one of whom sleeps on
				_ = handler.ServeConn(c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		_ = ln.Close()
		ended.Wait()
	})
	return s
}

func (s *server) setKeys(issuer string) {
	o := token.Options{Secret: secret, Signer: signer(), Issuer: issuer, Skew: 10 * time.Second}
	for _, c := range clients() {
		o.Audiences = append(o.Audiences, c.Name)
	}
	k, err := token.New(o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.ring.Set(k)
}

// answer is what the server said.
type answer struct {
	code   int
	header http.Header
	body   string
	to     *url.URL // Location
}

// field is a string of a JSON body.
func (a answer) field(name string) string {
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		return "no JSON: " + a.body
	}
	text, _ := m[name].(string)
	return text
}

func (s *server) do(method, path string, body io.Reader, headers ...string) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	a := answer{code: resp.StatusCode, header: resp.Header, body: string(b)}
	if location := resp.Header.Get("Location"); location != "" {
		if a.to, err = url.Parse(location); err != nil {
			s.t.Fatal(err)
		}
	}
	return a
}

func (s *server) get(path string, headers ...string) answer {
	s.t.Helper()
	return s.do("GET", path, nil, headers...)
}

// post sends a form, given as names and values by turns.
func (s *server) post(path string, form url.Values, headers ...string) answer {
	s.t.Helper()
	return s.do("POST", path, strings.NewReader(form.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// values makes a form of names and values by turns. Empty ones are left out.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}

// with is v with other values in it; empty ones are taken away.
func with(v url.Values, pairs ...string) url.Values {
	n := url.Values{}
	for key, value := range v {
		n[key] = value
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		n.Del(pairs[i])
		if pairs[i+1] != "" {
			n.Set(pairs[i], pairs[i+1])
		}
	}
	return n
}

func passwordForm(user string) url.Values {
	return values("grant_type", "password", "client_id", "console", "client_secret", "s3cret", "username", user, "password", password)
}

// login is a password grant of the console.
func (s *server) login(user string) answer {
	s.t.Helper()
	a := s.post("/oauth/token", passwordForm(user))
	if a.code != 200 {
		s.t.Fatalf("cannot log %s in: %d %s (%s)", user, a.code, a.body, s.why())
	}
	return a
}

func (s *server) why() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reason
}

func refreshForm(text string) url.Values {
	return values("grant_type", "refresh_token", "client_id", "console", "client_secret", "s3cret", "refresh_token", text)
}

const verifier = "a-verifier-of-more-than-forty-three-characters-0123456789"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func authorizeQuery() url.Values {
	return values("client_id", "console", "redirect_uri", redirectURI, "response_type", "code", "scope", "openid profile email", "state", "st&te=1",
		"nonce", "n-1", "code_challenge", challenge(), "code_challenge_method", "S256")
}

func basic(user string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// code has alice authorize a request by Basic, and gives the code.
func (s *server) code(query url.Values) string {
	s.t.Helper()
	a := s.get("/oauth/authorize?"+query.Encode(), "Authorization", basic("alice"))
	if a.code != 302 || a.to.Query().Get("code") == "" {
		s.t.Fatalf("no code: %d %v %s (%s)", a.code, a.to, a.body, s.why())
	}
	return a.to.Query().Get("code")
}

func codeForm(code string) url.Values {
	return values("grant_type", "authorization_code", "client_id", "console", "client_secret", "s3cret", "code", code, "redirect_uri", redirectURI, "code_verifier", verifier)
}

// whoami is the status of a request for the user's own data with a bearer token.
func (s *server) whoami(bearer string) int {
	s.t.Helper()
	return s.get("/oauth/userinfo", "Authorization", "Bearer "+bearer).code
}

// alive says what is wrong unless the token is good, or not, as wanted.
func (s *server) alive(what, bearer string, want bool) {
	s.t.Helper()
	if code := s.whoami(bearer); code != map[bool]int{true: 200, false: 401}[want] {
		s.t.Errorf("%s: a bearer token is answered %d", what, code)
	}
}

func claimsOf(t *testing.T, text string) map[string]any {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no token", text)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// numeric is a time in seconds from now, as tokens have it.
func numeric(seconds int) *jwt.NumericDate {
	return jwt.NewNumericDate(time.Now().Add(time.Duration(seconds) * time.Second))
}
