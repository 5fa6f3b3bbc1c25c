package oauth

import (
	"bytes"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/token"
)

const (
	// codeLife is how long a code is good. Clients redeem it at once, people with a slow link in seconds.
	codeLife = 5 * time.Minute
	// extraImplied is a claim of codes: the request had no redirect_uri, so the client repeats none.
	extraImplied = "redirect_uri_implied"
)

// method of exchange.User of who has not said who they are.
const anonymous = "anonymous"

var errNotOurs = errors.New("the user has no account here")

// authorize is the authorization endpoint. Who asks has said who they are, or gets the page to do so; the page's form comes
// back here.
func (s *Stage) authorize(x *exchange.Exchange, _ string) {
	p, f := input(x)
	if f != nil {
		s.show(x, f)
		return
	}
	r, f := s.requestOf(p)
	if f != nil {
		s.show(x, f)
		return
	}
	if f := r.check(); f != nil {
		s.replyFault(x, r, f)
		return
	}
	if x.HTTP.IsPost() && p[fieldToken] != "" {
		s.submitted(x, r)
		return
	}
	s.decide(x, r)
}

// decide answers a request by what is known of the user.
func (s *Stage) decide(x *exchange.Exchange, r *request) {
	if x.User == nil || x.User.Method == anonymous {
		s.askLogin(x, r)
		return
	}
	a := s.o.Users.Account(x.User.Name)
	switch {
	case a == nil || a.State == account.Disabled:
		s.replyFault(x, r, &fault{code: codeDenied, text: "this user gets no tokens", cause: errNotOurs})
	case r.consent() && (r.asks("none") || !browser(x)):
		s.replyFault(x, r, &fault{code: codeConsent, text: "the user has to be asked"})
	case r.consent():
		s.page(x, r, &pageState{user: a, since: time.Now()})
	default:
		s.grant(x, r, s.sessionFor(x, r, a))
	}
}

// askLogin has somebody who has not said who they are do so: by the page, if it is a browser.
func (s *Stage) askLogin(x *exchange.Exchange, r *request) {
	switch {
	case r.asks("none"):
		s.replyFault(x, r, &fault{code: codeLogin, text: "nobody is logged in"})
	case browser(x):
		s.page(x, r, &pageState{})
	default:
		refuse(x, &fault{status: 401, code: codeLogin, text: "say who you are, by HTTP Basic or a bearer token", challenge: `Basic realm="postern", charset="UTF-8"`})
	}
}

// browser says whether somebody looks at the answer.
func browser(x *exchange.Exchange) bool {
	return bytes.Contains(x.HTTP.Request.Header.Peek("Accept"), []byte("text/html"))
}

// sessionFor is the session that a code or token for the user of x belongs to. With a bearer token in hand it is that
// token's: a new one would outlive it.
func (s *Stage) sessionFor(x *exchange.Exchange, r *request, a *account.Account) *granting {
	l := newSession(a, r.client)
	if x.Session != "" {
		l.id = x.Session
	}
	return l
}

// grant sends the client what it asked for.
func (s *Stage) grant(x *exchange.Exchange, r *request, l *granting) {
	l.scopes = r.scopes
	if r.implicit {
		s.grantTokens(x, r, l)
		return
	}
	code, f := s.code(r, l)
	if f != nil {
		s.replyFault(x, r, f)
		return
	}
	s.reply(x, r, url.Values{"code": {code}})
}

// code is a signed text that says all there is to know about the request, so that any replica can redeem it.
func (s *Stage) code(r *request, l *granting) (string, *fault) {
	c := s.claims(l, token.Code, time.Now(), codeLife)
	c.Nonce, c.Challenge, c.RedirectURI = r.p["nonce"], r.p["code_challenge"], r.redirect
	c.AuthTime = jwt.NewNumericDate(l.since)
	c.Extra = uidOf(l.account)
	if r.given == "" {
		if c.Extra == nil {
			c.Extra = map[string][]string{}
		}
		c.Extra[extraImplied] = []string{"true"}
	}
	text, err := s.o.Keys.Keys().Sign(c)
	if err != nil {
		return "", keyFault(err)
	}
	return text, nil
}

// grantTokens answers the implicit flow, in the fragment: browsers do not send it on.
func (s *Stage) grantTokens(x *exchange.Exchange, r *request, l *granting) {
	t, f := s.begin(x.Context(), l)
	if f != nil {
		s.replyFault(x, r, f)
		return
	}
	v := url.Values{"access_token": {t.Access}, "token_type": {t.Type}}
	for key, value := range map[string]string{"refresh_token": t.Refresh, "scope": t.Scope} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if t.Expires > 0 {
		v.Set("expires_in", strconv.FormatInt(t.Expires, 10))
	}
	s.reply(x, r, v)
}
