package oidc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// issuer is a small OIDC provider that logs everybody in as ada. Its fields change what it does.
type issuer struct {
	*httptest.Server
	secret string

	mu       sync.Mutex
	key      *ecdsa.PrivateKey
	kid      string
	claims   map[string]any // over those of the id token
	userInfo map[string]any
	metadata map[string]any // over the metadata
	sign     func(claims map[string]any) string
	visits   map[string]url.Values // by code: what the browser asked for
	down     map[string]bool       // paths that answer 503
	asked    map[string]int        // paths
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{secret: "client's secret", visits: map[string]url.Values{}, down: map[string]bool{}, asked: map[string]int{}}
	i.rotate(t, "first")
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /authorize", i.authorize)
	mux.HandleFunc("POST /token", i.token)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /userinfo", i.info)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.asked[r.URL.Path]++
		if i.down[r.URL.Path] {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(i.Close)
	return i
}

// set changes what the issuer does.
func (i *issuer) set(change func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change()
}

func (i *issuer) rotate(t *testing.T, kid string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i.set(func() { i.key, i.kid = key, kid })
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (i *issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	m := map[string]any{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"userinfo_endpoint": i.URL + "/userinfo", "id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
	}
	for key, value := range i.metadata {
		m[key] = value
	}
	answer(w, m)
}

func (i *issuer) authorize(w http.ResponseWriter, r *http.Request) {
	code := rand.Text()
	i.visits[code] = r.URL.Query()
	back, _ := url.Parse(r.URL.Query().Get("redirect_uri"))
	back.RawQuery = url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}, "iss": {i.URL}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	visit, known := i.visits[r.FormValue("code")]
	delete(i.visits, r.FormValue("code"))
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	if secret == "" {
		id, secret = r.FormValue("client_id"), r.FormValue("client_secret")
	} else {
		secret, _ = url.QueryUnescape(secret)
	}
	if !known || id != "postern" || secret != i.secret || r.FormValue("redirect_uri") != visit.Get("redirect_uri") ||
		base64.RawURLEncoding.EncodeToString(challenge[:]) != visit.Get("code_challenge") || visit.Get("code_challenge_method") != "S256" {
		w.WriteHeader(http.StatusBadRequest)
		answer(w, map[string]any{"error": "invalid_grant", "error_description": "something secret"})
		return
	}
	claims := map[string]any{
		"iss": i.URL, "aud": "postern", "sub": "1815", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix(),
		"nonce": visit.Get("nonce"), "preferred_username": "ada", "name": "Ada Lovelace", "email": "ada@example.org", "email_verified": true,
		"groups": []string{"engines", "poets"},
	}
	for key, value := range i.claims {
		claims[key] = value
	}
	sign := i.signed
	if i.sign != nil {
		sign = i.sign
	}
	answer(w, map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": sign(claims)})
}

func (i *issuer) signed(claims map[string]any) string {
	return sign(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: i.kid}}, claims)
}

func sign(key jose.SigningKey, claims map[string]any) string {
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		panic(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		panic(err)
	}
	return text
}

func (i *issuer) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &i.key.PublicKey, KeyID: i.kid, Algorithm: "ES256", Use: "sig"}}})
}

func (i *issuer) info(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer access" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer(w, i.userInfo)
}
