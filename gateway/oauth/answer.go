package oauth

import (
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/token"
)

// Error codes of RFC 6749, RFC 6750 and OpenID Connect.
const (
	codeRequest      = "invalid_request"
	codeClient       = "invalid_client"
	codeGrant        = "invalid_grant"
	codeUnauthorized = "unauthorized_client"
	codeGrantType    = "unsupported_grant_type"
	codeResponseType = "unsupported_response_type"
	codeScope        = "invalid_scope"
	codeDenied       = "access_denied"
	codeUnavailable  = "temporarily_unavailable"
	codeServer       = "server_error"
	codeLogin        = "login_required"
	codeConsent      = "consent_required"
)

// fault is an error answer. Its text is for the client, and has neither quotes nor anything that the client sent.
type fault struct {
	status     int
	code, text string
	challenge  string        // WWW-Authenticate
	retry      time.Duration // Retry-After
	cause      error         // for the access log
}

func invalid(text string) *fault { return &fault{status: 400, code: codeRequest, text: text} }

func badGrant(text string, cause error) *fault {
	return &fault{status: 400, code: codeGrant, text: text, cause: cause}
}

// unavailable says that something the answer needs is not there now.
func unavailable(cause error) *fault {
	return &fault{status: 503, code: codeUnavailable, text: "the gateway cannot do this now, please try again", retry: time.Second, cause: cause}
}

// keyFault is what has gone wrong with signing.
func keyFault(err error) *fault {
	if errors.Is(err, token.ErrNoKeys) {
		return unavailable(err)
	}
	return &fault{status: 500, code: codeServer, text: "the gateway cannot sign a token", cause: err}
}

// passwordFault is why a password was not taken. Whether there is such a user is not told.
func passwordFault(err error) *fault {
	var throttled *login.Throttled
	switch {
	case errors.As(err, &throttled):
		return &fault{status: 429, code: codeGrant, text: "too many failed logins, please try again later", retry: throttled.RetryAfter, cause: err}
	case errors.Is(err, login.ErrBusy):
		return &fault{status: 429, code: codeUnavailable, text: "too many logins at once, please try again", retry: time.Second, cause: err}
	case errors.Is(err, login.ErrUnavailable):
		return unavailable(err)
	case errors.Is(err, login.ErrInactive):
		return badGrant("this user may not log in", err)
	case errors.Is(err, login.ErrWrong):
		return badGrant("wrong user name or password", err)
	}
	return providerFault(err)
}

// reason is what the access log says.
func (f *fault) reason() string {
	if f.cause != nil {
		return f.code + ": " + f.cause.Error()
	}
	return f.code + ": " + f.text
}

// refuse answers with f as RFC 6749, section 5.2, has it.
func refuse(x *exchange.Exchange, f *fault) {
	setFault(x, f)
	writeJSON(x, struct {
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{f.code, f.text})
}

// setFault sets all but the body.
func setFault(x *exchange.Exchange, f *fault) {
	x.Reason = f.reason()
	x.HTTP.SetStatusCode(f.status)
	h := &x.HTTP.Response.Header
	if f.challenge != "" {
		h.Set("WWW-Authenticate", f.challenge)
	}
	if f.retry > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((f.retry+time.Second-1)/time.Second), 10))
	}
}

func writeJSON(x *exchange.Exchange, v any) {
	body, err := json.Marshal(v)
	if err != nil { // v is made of strings and numbers
		x.HTTP.SetStatusCode(500)
		x.Reason = err.Error()
		return
	}
	x.HTTP.SetContentType("application/json")
	x.HTTP.SetBody(append(body, '\n'))
}

// noStore keeps an answer out of every cache: it has tokens in it, or is about them.
func noStore(x *exchange.Exchange) {
	h := &x.HTTP.Response.Header
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
}

// redirect sends the browser to a URI of a client, with values in its query or fragment. What the query had stays. After
// a form it is 303, so that no browser sends the password on.
func redirect(x *exchange.Exchange, uri string, values url.Values, fragment bool) {
	if encoded := values.Encode(); encoded != "" {
		switch {
		case fragment:
			uri += "#" + encoded
		case strings.Contains(uri, "?"):
			uri = strings.TrimSuffix(uri, "&") + "&" + encoded
		default:
			uri += "?" + encoded
		}
	}
	x.HTTP.Response.Header.Set("Location", uri)
	if x.HTTP.IsPost() {
		x.HTTP.SetStatusCode(303)
	} else {
		x.HTTP.SetStatusCode(302)
	}
}
