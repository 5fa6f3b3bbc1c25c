package e2e

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/goccy/go-yaml"
)

// podReader lets who is bound to it read pods of demo-shop; the test's end takes it away.
func podReader(t *testing.T, subject string) {
	t.Helper()
	const name = "e2e-pod-reader"
	kubectl(t, "admin", "-n", "demo-shop", "create", "role", name, "--verb=get,list", "--resource=pods")
	kubectl(t, "admin", "-n", "demo-shop", "create", "rolebinding", name, "--role="+name, subject)
	t.Cleanup(func() { kubectl(t, "admin", "-n", "demo-shop", "delete", "role,rolebinding", name) })
}

// get is what a gateway answers to a request for the pods of a namespace.
func get(t *testing.T, c *http.Client, url, namespace, token string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/namespaces/"+namespace+"/pods", nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// TestServiceAccountTokens: pods may use the token that Kubernetes gives them, with the roles that Kubernetes knows.
func TestServiceAccountTokens(t *testing.T) {
	const account = "e2e-builder"
	kubectl(t, "admin", "-n", "demo-shop", "create", "serviceaccount", account)
	t.Cleanup(func() {
		kubectl(t, "admin", "-n", "demo-shop", "delete", "serviceaccount", account, "--ignore-not-found")
	})
	podReader(t, "--serviceaccount=demo-shop:"+account)
	newToken := func() string {
		return strings.TrimSpace(kubectl(t, "admin", "-n", "demo-shop", "create", "token", account))
	}
	c, url, token, unused := client(t), stack.URLs["gateway"], newToken(), newToken()
	until(t, "the service account to read pods", func() bool { return get(t, c, url, "demo-shop", token) == 200 })
	if code := get(t, c, url, "demo-staging", token); code != 403 {
		t.Errorf("in another namespace: %d", code)
	}
	broken := token[:len(token)-8] + "AAAAAAAA"
	if code := get(t, c, url, "demo-shop", broken); code != 401 {
		t.Errorf("with another signature: %d", code)
	}
	kubectl(t, "admin", "-n", "demo-shop", "delete", "serviceaccount", account)
	if code := get(t, c, url, "demo-shop", unused); code != 401 {
		t.Errorf("after it was deleted: %d", code)
	}
}

// oidcServer is an OpenID Connect issuer whose keys may be exchanged.
type oidcServer struct {
	*httptest.Server
	mu  sync.Mutex
	key jose.JSONWebKey
}

func newOIDCServer(t *testing.T) *oidcServer {
	t.Helper()
	s := new(oidcServer)
	s.rotate(t, "first")
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *oidcServer) rotate(t *testing.T, kid string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = jose.JSONWebKey{Key: private, KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

func (s *oidcServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == "/keys" {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.key.Public()}})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"issuer": s.URL, "jwks_uri": s.URL + "/keys"})
}

func (s *oidcServer) token(t *testing.T, more map[string]any) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	claims := map[string]any{"iss": s.URL, "sub": "erin", "aud": "console", "exp": time.Now().Unix() + 600}
	text, err := jwt.Signed(signer).Claims(merge(claims, more)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestTokensOfAnotherIssuer: who logs in elsewhere needs no account here, only a role.
func TestTokensOfAnotherIssuer(t *testing.T) {
	s := newOIDCServer(t)
	podReader(t, "--group=e2e:readers")
	url, _ := startGateway(t, `postern: {authentication: {issuers: [{url: "`+s.URL+`", audiences: [console], usernamePrefix: "e2e:", groupsClaim: groups, groupsPrefix: "e2e:"}]}}`)
	c, readers := client(t), map[string]any{"groups": []string{"readers"}}
	token := s.token(t, readers)
	until(t, "the reader to be let in", func() bool { return get(t, c, url, "demo-shop", token) == 200 })
	for name, x := range map[string]struct {
		token string
		code  int
	}{
		"in no group":               {s.token(t, nil), 403},
		"a group of our own":        {s.token(t, map[string]any{"groups": []string{"system:masters", "postern:decided"}}), 403},
		"for another audience":      {s.token(t, merge(map[string]any{"aud": "other"}, readers)), 401},
		"expired":                   {s.token(t, merge(map[string]any{"exp": time.Now().Unix() - 60}, readers)), 401},
		"of an issuer nobody knows": {s.token(t, merge(map[string]any{"iss": "https://example.com"}, readers)), 401},
	} {
		if code := get(t, c, url, "demo-shop", x.token); code != x.code {
			t.Errorf("%s: %d, want %d", name, code, x.code)
		}
	}
	if code := get(t, c, stack.URLs["gateway"], "demo-shop", token); code != 401 {
		t.Errorf("where the issuer is not trusted: %d", code)
	}
	s.rotate(t, "second")
	until(t, "a token of the issuer's new key", func() bool { return get(t, c, url, "demo-shop", s.token(t, readers)) == 200 })
}

// authority signs certificates of clients.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func certificate(t *testing.T, by *authority, template *x509.Certificate) (*authority, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(1), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if by == nil {
		template.IsCA, template.BasicConstraintsValid = true, true
		by = &authority{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert, key}, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestClientCertificates: a certificate of the configured authority says who asks, and in which groups they are.
func TestClientCertificates(t *testing.T) {
	ca, _ := certificate(t, nil, &x509.Certificate{Subject: pkix.Name{CommonName: "clients"}})
	file := filepath.Join(t.TempDir(), "clients.crt")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	podReader(t, "--group=e2e-readers")
	_, log := startGateway(t, `postern: {listen: {tls: {address: "127.0.0.1:0", clientCAFile: `+file+`}}}`)
	url := listeningTLS(t, log)
	as := func(name string, groups ...string) *http.Client {
		_, shown := certificate(t, ca, &x509.Certificate{Subject: pkix.Name{CommonName: name, Organization: groups}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		c := client(t)
		c.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{shown}
		return c
	}
	until(t, "the reader to be let in", func() bool { return get(t, as("rita", "e2e-readers"), url, "demo-shop", "") == 200 })
	for name, x := range map[string]struct {
		client *http.Client
		code   int
	}{
		"a user with an account": {as("bob"), 200},
		"nobody with a role":     {as("rita"), 403},
		"a group of Kubernetes":  {as("rita", "system:masters"), 403},
		"a name of Kubernetes":   {as("system:admin"), 401},
		"no certificate":         {client(t), 403},
	} {
		if code := get(t, x.client, url, "demo-shop", ""); code != x.code {
			t.Errorf("%s: %d, want %d", name, code, x.code)
		}
	}
	if code := get(t, as("bob"), url, "demo-shop", "nonsense"); code != 401 {
		t.Errorf("a certificate and a bad token: %d", code)
	}
	ca, _ = certificate(t, nil, &x509.Certificate{Subject: pkix.Name{CommonName: "clients"}})
	if resp, err := as("bob").Get(url + "/healthz"); err == nil {
		_ = resp.Body.Close()
		t.Errorf("of another authority: %d", resp.StatusCode)
	}
}

// listeningTLS is where a gateway has logged that it listens for HTTPS.
func listeningTLS(t *testing.T, log string) string {
	t.Helper()
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var entry struct{ Listening struct{ HTTPS string } }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Listening.HTTPS != "" {
			return "https://" + entry.Listening.HTTPS
		}
	}
	t.Fatalf("it listens for no HTTPS:\n%s", text)
	return ""
}

// TestReplicasShareKeys: without configured keys, a token of one gateway is good at the other, and so it is after the keys
// have been exchanged, and after a start.
func TestReplicasShareKeys(t *testing.T) {
	text, err := os.ReadFile(stack.Config)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	const piece = `{authentication: {jwtSecret: ""}, postern: {namespace: e2e-keys}}`
	t.Cleanup(func() { kubectl(t, "admin", "delete", "namespace", "e2e-keys", "--wait=false") })
	var over map[string]any
	if err := yaml.Unmarshal([]byte(piece), &over); err != nil {
		t.Fatal(err)
	}
	if text, err = yaml.Marshal(merge(config, over)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kubesphere.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	first, _ := startGateway(t, piece)
	second, _ := startGateway(t, piece)
	c := client(t)
	until(t, "the keys to be made", func() bool {
		_, err := tryKubectl(t, "admin", nil, "-n", "e2e-keys", "get", "secret", "postern-keys")
		return err == nil
	})
	token := strings.TrimSpace(postern(t, "token", "alice", "--config", file))
	for _, url := range []string{first, second} {
		until(t, "the token to be good at "+url, func() bool { return get(t, c, url, "demo-shop", token) == 200 })
	}
	if code := get(t, c, stack.URLs["gateway"], "demo-shop", token); code != 401 {
		t.Errorf("where the keys are others: %d", code)
	}
	if out := postern(t, "keys", "rotate", "--config", file); !strings.Contains(out, "1 of before") {
		t.Errorf("postern keys rotate: %s", out)
	}
	third, _ := startGateway(t, piece)
	fresh := strings.TrimSpace(postern(t, "token", "bob", "--config", file))
	until(t, "the gateway that has started after the rotation", func() bool {
		return get(t, c, third, "demo-shop", token) == 200 && get(t, c, third, "demo-shop", fresh) == 200
	})
	if code := get(t, c, first, "demo-shop", fresh); code != 200 {
		t.Errorf("the gateway of before: %d", code)
	}
}

// TestGuessingIsThrottled: wrong passwords of a user, known or not, are 429 after a while, at once and for that user alone.
func TestGuessingIsThrottled(t *testing.T) {
	url, _ := startGateway(t, `authentication: {authenticateRateLimiterMaxTries: 3, authenticateRateLimiterDuration: 10m}`)
	c := client(t)
	login := func(user, password string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/api/v1/namespaces/demo-shop/pods", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(user, password)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	until(t, "alice to be known", func() bool { code, _ := login("alice", userPassword(t, "alice")); return code == 200 })
	for _, user := range []string{"bob", "nobody-of-that-name"} {
		for i := range 5 {
			code, after := login(user, "guess")
			if i < 3 && code != 401 || i >= 3 && (code != 429 || after == "" || after == "0") {
				t.Errorf("%s, guess %d: %d, Retry-After %q", user, i+1, code, after)
			}
		}
	}
	if code, _ := login("bob", userPassword(t, "bob")); code != 429 {
		t.Errorf("the right password after too many wrong ones: %d", code)
	}
	if code, _ := login("alice", userPassword(t, "alice")); code != 200 {
		t.Errorf("somebody else: %d", code)
	}
}
