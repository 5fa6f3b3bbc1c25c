package oauth

import (
	"net/url"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
)

// endpoints are where clients find what.
type endpoints struct {
	issuer string // empty: not a URL, so there is nothing to find
	base   string // URL of /oauth as clients see it, without a slash at its end
	atRoot bool   // the discovery document is also at rootDiscovery
	secure bool   // https
}

// endpointsOf reads the issuer. Under https://host/oauth everything lies below it, where upstream has it; under
// https://host, or a path that a proxy in front takes away, below its /oauth.
func endpointsOf(issuer string) endpoints {
	u, err := url.Parse(issuer)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return endpoints{}
	}
	e := endpoints{issuer: issuer, base: strings.TrimSuffix(issuer, "/"), secure: u.Scheme == "https"}
	if !strings.HasSuffix(e.base, "/oauth") {
		e.base, e.atRoot = e.base+"/oauth", true
	}
	return e
}

// Scopes, grants and ways of authentication that the server knows.
var (
	scopesKnown = []string{"openid", "profile", "email", "offline_access"}
	grantsKnown = []string{grantCode, grantRefresh, grantPassword, grantOldCode}
	authMethods = []string{"client_secret_basic", "client_secret_post", "none"}
	claimsKnown = []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "name", "email", "locale", "preferred_username"}
)

// metadata is the document of OpenID Connect Discovery 1.0, section 3, and RFC 8414. What it says is what the server does.
type metadata struct {
	Issuer             string   `json:"issuer"`
	Authorization      string   `json:"authorization_endpoint"`
	Token              string   `json:"token_endpoint"`
	Keys               string   `json:"jwks_uri"`
	UserInfo           string   `json:"userinfo_endpoint"`
	EndSession         string   `json:"end_session_endpoint"`
	Scopes             []string `json:"scopes_supported"`
	ResponseTypes      []string `json:"response_types_supported"`
	ResponseModes      []string `json:"response_modes_supported"`
	GrantTypes         []string `json:"grant_types_supported"`
	SubjectTypes       []string `json:"subject_types_supported"`
	IDTokenAlgorithms  []string `json:"id_token_signing_alg_values_supported"`
	AuthMethods        []string `json:"token_endpoint_auth_methods_supported"`
	Claims             []string `json:"claims_supported"`
	ChallengeMethods   []string `json:"code_challenge_methods_supported"`
	Prompts            []string `json:"prompt_values_supported"`
	RequestParameter   bool     `json:"request_parameter_supported"`
	RequestURI         bool     `json:"request_uri_parameter_supported"`
	ClaimsParameter    bool     `json:"claims_parameter_supported"`
	AnswersCarryIssuer bool     `json:"authorization_response_iss_parameter_supported"`
}

// discovery answers with the document, or 404 if the issuer is no URL: a document under another issuer than that of the
// tokens would be worth nothing, and one under whatever host a request names would be the client's word.
func (s *Stage) discovery(x *exchange.Exchange, _ string) {
	e := s.public
	if e.issuer == "" {
		refuse(x, &fault{status: 404, code: codeRequest, text: "this gateway is no OpenID provider: authentication.oauthOptions.issuer is not a URL"})
		return
	}
	alg := s.o.Keys.Keys().IDAlgorithm()
	if alg == "" {
		refuse(x, &fault{status: 503, code: codeUnavailable, text: "there is no key for id tokens yet", retry: time.Second})
		return
	}
	m := metadata{
		Issuer: e.issuer, Authorization: e.base + "/authorize", Token: e.base + "/token", Keys: e.base + "/keys",
		UserInfo: e.base + "/userinfo", EndSession: e.base + "/logout",
		Scopes: scopesKnown, ResponseTypes: []string{"code"}, ResponseModes: []string{"query"}, GrantTypes: grantsKnown,
		SubjectTypes: []string{"public"}, IDTokenAlgorithms: []string{alg}, AuthMethods: authMethods, Claims: claimsKnown,
		ChallengeMethods: []string{"S256"}, Prompts: []string{"none", "login", "consent"}, AnswersCarryIssuer: true,
	}
	if s.o.Implicit {
		m.ResponseTypes, m.ResponseModes = append(m.ResponseTypes, "token"), append(m.ResponseModes, "fragment")
		m.GrantTypes = append(append([]string{}, m.GrantTypes...), "implicit")
	}
	cacheable(x)
	writeJSON(x, m)
}

// keys answers with the public keys that verify id tokens.
func (s *Stage) keys(x *exchange.Exchange, _ string) {
	cacheable(x)
	x.HTTP.SetContentType("application/json")
	x.HTTP.SetBody(s.o.Keys.Keys().JWKS())
}

// cacheable lets what everybody may see be kept for five minutes: as long as a new key waits before it signs, at most.
func cacheable(x *exchange.Exchange) {
	h := &x.HTTP.Response.Header
	h.Set("Cache-Control", "public, max-age=300")
	h.Del("Pragma")
}
