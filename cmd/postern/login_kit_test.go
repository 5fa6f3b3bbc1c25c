package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// logins of tests are given by a gateway that knows one user and speaks TLS with a certificate of its own. Refresh tokens
// are good once: the second time, the session is over.
type fakeGateway struct {
	*httptest.Server
	t                *testing.T
	dir              string
	mu               sync.Mutex
	issued           int
	life             int // seconds
	refresh          string
	refreshes, ended int
	challenge        string
	down             bool
}

func newFakeGateway(t *testing.T) *fakeGateway {
	g := &fakeGateway{t: t, dir: t.TempDir(), life: 7200}
	g.Server = httptest.NewTLSServer(g)
	t.Cleanup(g.Close)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.Certificate().Raw})
	if err := os.WriteFile(g.path("ca.crt"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CONFIG_HOME", g.dir)
	t.Setenv("HOME", g.dir)
	t.Setenv("KUBECONFIG", "")
	return g
}

func (g *fakeGateway) path(name ...string) string {
	return filepath.Join(append([]string{g.dir}, name...)...)
}

func (g *fakeGateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		w.Header().Set("Retry-After", "2")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/oauth/token":
		g.token(w, r)
	case "/oauth/authorize":
		q := r.URL.Query()
		g.challenge = q.Get("code_challenge")
		to := q.Get("redirect_uri") + "?" + url.Values{"state": q["state"], "code": {"a code"}}.Encode()
		http.Redirect(w, r, to, http.StatusFound)
	case "/oauth/userinfo":
		g.bearer(w, r, `{"sub":"alice","preferred_username":"alice"}`)
	case "/oauth/logout":
		g.ended++
		g.bearer(w, r, `{"message":"success"}`)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (g *fakeGateway) bearer(w http.ResponseWriter, r *http.Request, body string) {
	if r.Header.Get("Authorization") != fmt.Sprint("Bearer access-", g.issued) {
		w.WriteHeader(http.StatusUnauthorized)
		body = `{"error":"login_required","error_description":"an access token is needed"}`
	}
	_, _ = w.Write([]byte(body))
}

func (g *fakeGateway) token(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, code string) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": "that is not right"})
	}
	switch {
	case r.Method != http.MethodPost || r.PostFormValue("client_id") != "postern":
		refuse(http.StatusUnauthorized, "invalid_client")
		return
	case r.PostFormValue("grant_type") == "password" && r.PostFormValue("username") == "locked":
		w.Header().Set("Retry-After", "90")
		refuse(http.StatusTooManyRequests, "invalid_grant")
		return
	case r.PostFormValue("grant_type") == "password" && r.PostFormValue("password") == "s3cret & more":
	case r.PostFormValue("grant_type") == "authorization_code" && r.PostFormValue("code") == "a code":
		sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
			refuse(http.StatusBadRequest, "invalid_grant")
			return
		}
	case r.PostFormValue("grant_type") == "refresh_token" && g.refresh != "" && r.PostFormValue("refresh_token") == g.refresh:
		g.refreshes++
	default:
		g.refresh = ""
		refuse(http.StatusBadRequest, "invalid_grant")
		return
	}
	g.issued++
	g.refresh = fmt.Sprint("refresh-", g.issued)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": fmt.Sprint("access-", g.issued), "refresh_token": g.refresh, "expires_in": g.life, "token_type": "Bearer",
	})
}

// set changes what the gateway does from now on.
func (g *fakeGateway) set(f func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f()
}

// command runs the program with standard input.
func (g *fakeGateway) command(in string, args ...string) (string, error) {
	var out bytes.Buffer
	command := newCommand()
	command.SetOut(&out)
	command.SetErr(&out)
	command.SetIn(strings.NewReader(in))
	command.SetArgs(args)
	err := command.ExecuteContext(g.t.Context())
	return out.String(), err
}

// loggedIn has alice log in.
func (g *fakeGateway) loggedIn() *fakeGateway {
	g.t.Helper()
	out, err := g.command("s3cret & more\n", "login", g.URL, "--ca", g.path("ca.crt"), "-u", "alice@example.com", "--password-stdin")
	if err != nil || !strings.Contains(out, "as alice") {
		g.t.Fatalf("%s%v", out, err)
	}
	return g
}

// kept is what the file of logins says of alice.
func (g *fakeGateway) kept() *login {
	g.t.Helper()
	text, err := os.ReadFile(g.path("postern", "logins.json"))
	if err != nil {
		g.t.Fatal(err)
	}
	var all logins
	if err := json.Unmarshal(text, &all); err != nil {
		g.t.Fatal(err)
	}
	return all.All["alice@"+g.URL]
}

// asProgram has the test's binary be the program, for tests that need several processes.
const asProgram = "POSTERN_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}
