package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/idp/ldap/ldaptest"
)

// logins are POST requests for tokens of one gateway.
type logins struct {
	t   *testing.T
	c   *http.Client
	url string
}

// try logs in at a provider that takes passwords; what came of it, and the access token.
func (l logins) try(provider, name, password string) (code int, body, token string) {
	l.t.Helper()
	form := url.Values{"username": {name}, "password": {password}}
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, l.url+"/oauth/login/"+provider, strings.NewReader(form.Encode()))
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	code, body = l.send(req)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	_ = json.Unmarshal([]byte(body), &answer)
	return code, body, answer.AccessToken
}

// get asks as whoever the token is of.
func (l logins) get(path, token string) (int, string) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, l.url+path, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return l.send(req)
}

func (l logins) send(req *http.Request) (int, string) {
	l.t.Helper()
	resp, err := l.c.Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestLDAPUser: somebody of a directory logs in, is made once, may do nothing until a role is bound, and is out when they are
// disabled here or the directory is gone.
func TestLDAPUser(t *testing.T) {
	directory := ldaptest.Start(t, stack.Root)
	options, err := json.Marshal(directory.Options("host", directory.Address, "startTLS", true, "rootCA", directory.CAFile,
		"groupSearchBase", "ou=groups,"+ldaptest.Base, "groupMemberAttribute", "member",
		"groupMapping", map[string]any{"cn=Poets,ou=groups," + ldaptest.Base: "writers"}))
	if err != nil {
		t.Fatal(err)
	}
	gateway, _ := startGateway(t, `{authentication: {oauthOptions: {identityProviders: [{name: ldap, type: LDAPIdentityProvider, provider: `+string(options)+`}]}}}`)
	const user, link = "grace.hopper", "iam.kubesphere.io/identify-provider=ldap"
	t.Cleanup(func() {
		_, _ = tryKubectl(t, "admin", nil, "delete", "users.iam.kubesphere.io", "-l", link)
		_, _ = tryKubectl(t, "admin", nil, "-n", "demo-shop", "delete", "rolebinding", "grace", "--ignore-not-found")
		_, _ = tryKubectl(t, "admin", nil, "delete", "loginrecords.iam.kubesphere.io", "-l", "iam.kubesphere.io/user-ref="+user)
	})
	l := logins{t, client(t), gateway}
	token := ""
	until(t, "the gateway to know users, and the login", func() bool {
		code, body, access := l.try("ldap", "Grace.Hopper", "grace's password")
		if token = access; code != http.StatusOK && code < 500 {
			t.Fatalf("%d %s", code, body)
		}
		return code == http.StatusOK
	})
	made := func() string {
		return kubectl(t, "admin", "get", "users.iam.kubesphere.io", "-l", link, "-o",
			`jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.iam\.kubesphere\.io/origin-uid} {.spec.email} {.spec.groups} {.status.state};{end}`)
	}
	const want = `grace.hopper Grace.Hopper grace@example.org ["writers"] Active;`
	if all := made(); all != want {
		t.Errorf("users %q, want %q", all, want)
	}
	first := token
	code, _, token := l.try("ldap", "grace.hopper", "grace's password")
	if code != http.StatusOK || made() != want {
		t.Errorf("the second login: %d, users %q", code, made())
	}

	const pods = "/api/v1/namespaces/demo-shop/pods/shell"
	if code, body := l.get(pods, first); code != http.StatusUnauthorized { // multipleLogin is false
		t.Errorf("the first login, after the second: %d %s", code, body)
	}
	if code, body := l.get(pods, token); code != http.StatusForbidden || !strings.Contains(body, user) {
		t.Errorf("without a role: %d %s", code, body)
	}
	kubectl(t, "admin", "-n", "demo-shop", "create", "rolebinding", "grace", "--role=viewer", "--user="+user)
	until(t, "the role to count", func() bool { code, _ := l.get(pods, token); return code == http.StatusOK })

	for what, c := range map[string]struct{ provider, name, password string }{
		"wrong password":                   {"ldap", "ada", "grace's password"},
		"empty password":                   {"ldap", "ada", ""},
		"locked there":                     {"ldap", "locked", "locked's password"},
		"the name of a user who is not it": {"ldap", "alice", "alice's password"},
	} {
		if code, body, token := l.try(c.provider, c.name, c.password); code != http.StatusBadRequest || token != "" {
			t.Errorf("%s: %d %s", what, code, body)
		}
	}
	if code, _, _ := l.try("nowhere", "ada", "ada's password"); code != http.StatusNotFound {
		t.Errorf("no such provider: %d", code)
	}
	if all := made(); all != want {
		t.Errorf("users %q, want %q", all, want)
	}

	kubectl(t, "admin", "patch", "users.iam.kubesphere.io", user, "--type=merge", "-p", `{"status":{"state":"Disabled"}}`)
	until(t, "the user to be out", func() bool { code, _ := l.get(pods, token); return code == http.StatusUnauthorized })
	if code, body, _ := l.try("ldap", "Grace.Hopper", "grace's password"); code != http.StatusBadRequest {
		t.Errorf("disabled: %d %s", code, body)
	}
	directory.Kill()
	if code, body, _ := l.try("ldap", "ada", "ada's password"); code != http.StatusServiceUnavailable {
		t.Errorf("without the directory: %d %s", code, body)
	}
}
