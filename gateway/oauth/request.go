package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
)

// request is an authorization request: RFC 6749, section 4.1.1, RFC 7636, and OpenID Connect Core 1.0, section 3.1.2.1.
type request struct {
	client   *Client
	redirect string // where the answer goes; it is the client's
	given    string // redirect_uri as it was in the request, which the client repeats
	implicit bool
	scopes   []string
	prompt   []string
	p        params
}

// requestParams are the parameters that make a request, in the order of forms and links that repeat it.
var requestParams = []string{
	"client_id", "redirect_uri", "response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt",
	"max_age", "response_mode", "login_hint",
}

// maxRequest bounds what is repeated of a request, in bytes: it has to fit into a cookie and into a Location.
const maxRequest = 2560

// values are the parameters of the request, to repeat it with.
func (r *request) values() url.Values {
	v := url.Values{}
	for _, key := range requestParams {
		if value := r.p[key]; value != "" {
			v.Set(key, value)
		}
	}
	return v
}

// sum stands for the request: what somebody has agreed to is this one.
func (r *request) sum() string {
	sum := sha256.Sum256([]byte(r.values().Encode()))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// asks says whether prompt has that word.
func (r *request) asks(word string) bool { return slices.Contains(r.prompt, word) }

// consent says whether the user has to be asked.
func (r *request) consent() bool { return r.client.Consent == Prompt || r.asks("consent") }

// requestOf finds out whose request it is and where its answer may go. As long as that is not known, nothing is sent
// anywhere: errors are for whoever looks at the screen.
func (s *Stage) requestOf(p params) (*request, *fault) {
	c := s.clients[p["client_id"]]
	if c == nil {
		return nil, &fault{status: 400, code: codeClient, text: "client_id is missing, or names no client"}
	}
	to, ok := c.redirectTo(p["redirect_uri"])
	if !ok {
		return nil, invalid("redirect_uri is missing, or is not one of the client")
	}
	r := &request{client: c, redirect: to, given: p["redirect_uri"], p: p, prompt: strings.Fields(p["prompt"])}
	if len(r.values().Encode()) > maxRequest {
		return nil, invalid("the request is too long")
	}
	r.implicit = p["response_type"] == "token" && s.o.Implicit
	return r, nil
}

// check finds what is wrong with a request whose client is known. Such errors go to the client.
func (r *request) check() *fault {
	var ok bool
	if r.scopes, ok = r.client.scopes(r.p["scope"]); !ok {
		return &fault{code: codeScope, text: "the client may not ask for that scope"}
	}
	switch {
	case r.p["request"] != "":
		return &fault{code: "request_not_supported", text: "request is not supported"}
	case r.p["request_uri"] != "":
		return &fault{code: "request_uri_not_supported", text: "request_uri is not supported"}
	case r.p["response_type"] == "":
		return &fault{code: codeRequest, text: "response_type is missing"}
	case r.p["response_type"] != "code" && !r.implicit:
		return &fault{code: codeResponseType, text: "response_type must be code"}
	case r.client.Consent == Deny:
		return &fault{code: codeDenied, text: "the client gets no grants"}
	case r.asks("none") && len(r.prompt) > 1:
		return &fault{code: codeRequest, text: "prompt none stands alone"}
	case r.p["response_mode"] != "" && r.p["response_mode"] != r.mode():
		return &fault{code: codeRequest, text: "response_mode is not supported"}
	}
	return r.checkChallenge()
}

// mode is where answers are put.
func (r *request) mode() string {
	if r.implicit {
		return "fragment"
	}
	return "query"
}

// checkChallenge wants S256, and from clients without a secret a challenge at all. The method plain, which is also what
// no method means, shows the verifier to whoever sees the request.
func (r *request) checkChallenge() *fault {
	challenge, method := r.p["code_challenge"], r.p["code_challenge_method"]
	switch {
	case r.implicit:
		return nil
	case challenge == "" && method == "" && !r.client.public():
		return nil
	case challenge == "":
		return &fault{code: codeRequest, text: "code_challenge is missing"}
	case method != "S256":
		return &fault{code: codeRequest, text: "code_challenge_method must be S256"}
	case !goodChallenge(challenge):
		return &fault{code: codeRequest, text: "code_challenge is not a SHA-256 sum in base64url"}
	}
	return nil
}

// reply sends values to the client, with the state it gave, and with who answers (RFC 9207).
func (s *Stage) reply(x *exchange.Exchange, r *request, v url.Values) {
	if state := r.p["state"]; state != "" {
		v.Set("state", state)
	}
	if s.public.issuer != "" {
		v.Set("iss", s.public.issuer)
	}
	redirect(x, r.redirect, v, r.implicit)
}

// replyFault sends an error to the client.
func (s *Stage) replyFault(x *exchange.Exchange, r *request, f *fault) {
	x.Reason = f.reason()
	v := url.Values{"error": {f.code}}
	if f.text != "" {
		v.Set("error_description", f.text)
	}
	s.reply(x, r, v)
}
