package e2e

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestLoginByAnotherPostern: one gateway is the OpenID provider of another. A browser begins at the second, logs in at the first, and
// comes back with a code for its own client. Its account is made once, and is not that of the same name here.
func TestLoginByAnotherPostern(t *testing.T) {
	const app = "https://app.example/callback"
	ports := [2]int{freePort(t), freePort(t)}
	base := func(i int) string { return fmt.Sprintf("http://127.0.0.1:%d", ports[i]) }
	piece := func(i int, more string) string {
		return fmt.Sprintf(`{postern: {listen: {address: "127.0.0.1:%d"}}, authentication: {multipleLogin: true, oauthOptions: {issuer: %q, %s}}}`, ports[i], base(i)+"/oauth", more)
	}
	startGateway(t, piece(0, `clients: [{name: second, secret: the second's secret, redirectURIs: ["`+base(1)+`/oauth/callback/first"]}]`))
	startGateway(t, piece(1, `clients: [{name: app, secret: the app's secret, redirectURIs: ["`+app+`"]}], identityProviders: [`+
		`{name: first, type: OIDCIdentityProvider, provider: {issuer: "`+base(0)+`/oauth", clientID: second, clientSecret: the second's secret, preferredUsernameKey: iss}}]`))
	const link = "iam.kubesphere.io/identify-provider=first"
	t.Cleanup(func() { _, _ = tryKubectl(t, "admin", nil, "delete", "users.iam.kubesphere.io", "-l", link) })

	b := &browser{t: t, c: client(t)}
	b.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.c.Jar, _ = cookiejar.New(nil)
	visit := func() url.Values {
		t.Helper()
		verifier := rand.Text() + rand.Text()
		sum := sha256.Sum256([]byte(verifier))
		state := rand.Text()
		query := url.Values{
			"client_id": {"app"}, "redirect_uri": {app}, "response_type": {"code"}, "scope": {"openid profile"}, "state": {state},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		}
		provider := b.follow(base(1) + "/oauth/login/first?" + query.Encode())
		if !strings.HasPrefix(provider.String(), base(0)+"/oauth/authorize?") || provider.Query().Get("code_challenge_method") != "S256" || provider.Query().Get("nonce") == "" {
			t.Fatalf("the browser goes to %s", provider)
		}
		b.user = "alice" // says who they are to the first
		back := b.follow(provider.String())
		b.user = ""
		if !strings.HasPrefix(back.String(), base(1)+"/oauth/callback/first?") {
			t.Fatalf("the browser comes back to %s", back)
		}
		stranger := &browser{t: t, c: client(t)}
		if code, _, body := stranger.get(back.String()); code != http.StatusBadRequest {
			t.Errorf("another browser with that link: %d %s", code, body)
		}
		end := b.follow(back.String())
		if !strings.HasPrefix(end.String(), app+"?") || end.Query().Get("state") != state || end.Query().Get("code") == "" {
			t.Fatalf("the visit ends at %s", end)
		}
		return url.Values{
			"grant_type": {"authorization_code"}, "code": end.Query()["code"], "redirect_uri": {app}, "code_verifier": {verifier},
			"client_id": {"app"}, "client_secret": {"the app's secret"},
		}
	}
	until(t, "both gateways to have keys, users and roles", func() bool {
		for i := range ports {
			for _, path := range []string{"/oauth/keys", "/api/v1/namespaces"} {
				if code, _, _ := b.get(base(i) + path); code >= 500 {
					return false
				}
			}
		}
		return true
	})
	b.user = "alice"
	for range 4 { // not more often: failures count, and what has been read may not be shown for a moment
		if code, _, _ := b.get(base(0) + "/oauth/userinfo"); code == http.StatusOK {
			break
		}
		time.Sleep(time.Second)
	}
	b.user = ""
	made := func() string {
		return kubectl(t, "admin", "get", "users.iam.kubesphere.io", "-l", link, "-o", `jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.iam\.kubesphere\.io/origin-uid};{end}`)
	}
	want := ""
	for range 2 {
		form := visit()
		resp, err := b.c.PostForm(base(1)+"/oauth/token", form)
		if err != nil {
			t.Fatal(err)
		}
		var tokens struct {
			Access string `json:"access_token"`
		}
		err = json.NewDecoder(resp.Body).Decode(&tokens)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || tokens.Access == "" {
			t.Fatalf("no tokens: %s, %v", resp.Status, err)
		}
		if want == "" {
			want = made()
		}
		if name, uid, _ := strings.Cut(strings.TrimSuffix(made(), ";"), " "); uid != "alice" || name == "alice" || made() != want {
			t.Errorf("users %q, want one of alice, and not her own here", made())
		}
		b.token = tokens.Access
		code, _, body := b.get(base(1) + "/api/v1/namespaces/demo-shop/pods/shell")
		b.token = ""
		if code != http.StatusForbidden { // alice may, who has the same name at the first gateway
			t.Errorf("without a role: %d %s", code, body)
		}
	}
}

// browser keeps cookies, and says who it is where it is asked to.
type browser struct {
	t           *testing.T
	c           *http.Client
	user, token string
}

func (b *browser) get(address string) (int, http.Header, string) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	switch {
	case b.user != "":
		req.SetBasicAuth(b.user, userPassword(b.t, b.user))
	case b.token != "":
		req.Header.Set("Authorization", "Bearer "+b.token)
	}
	resp, err := b.c.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

// follow is where the browser is sent to.
func (b *browser) follow(address string) *url.URL {
	b.t.Helper()
	code, header, body := b.get(address)
	to, err := url.Parse(header.Get("Location"))
	if code != http.StatusFound && code != http.StatusSeeOther || err != nil {
		b.t.Fatalf("%s answers %d %v %.500s", address, code, err, body)
	}
	return to
}
