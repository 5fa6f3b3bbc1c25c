package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/token"
)

const (
	// kindForm is the kind of token that a form carries; nothing else takes it.
	kindForm token.Kind = "form"
	// formLife is how long a form may lie open; consentLife, when it says who somebody is.
	formLife    = time.Hour
	consentLife = 10 * time.Minute
	// cookieForm is the name of the cookie that forms are bound to. It holds nothing but chance.
	cookieForm = "postern-form"
)

var (
	errForeign = errors.New("the form comes from another site, another browser or another request")
	errForm    = errors.New("the form has been used")
)

// formToken is what makes a form good in this browser and for this request alone: it names both, and, once somebody has
// said who they are, them. Nobody else's page can send it: it cannot read it, and the cookie does not come along from other
// sites.
func (s *Stage) formToken(x *exchange.Exchange, r *request, p *pageState) (string, *fault) {
	l := &granting{account: &account.Account{}, id: sumOf(s.formCookie(x))}
	life := formLife
	if p.user != nil {
		l.account, life = p.user, consentLife
	}
	c := s.claims(l, kindForm, time.Now(), life)
	c.Challenge = r.sum()
	if p.user != nil {
		c.AuthTime, c.Extra = dateOf(p.since), uidOf(p.user)
	}
	text, err := s.o.Keys.Keys().Sign(c)
	if err != nil {
		return "", keyFault(err)
	}
	return text, nil
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// formCookie is the browser's cookie; a new one if it has none.
func (s *Stage) formCookie(x *exchange.Exchange) string {
	if have := x.HTTP.Request.Header.Cookie(s.cookie(x, cookieForm)); len(have) == len(rand.Text()) {
		return string(have)
	}
	value := rand.Text()
	s.setCookie(x, cookieForm, value, 0)
	return value
}

// cookie is a cookie's name here. Over TLS it begins with __Host-, so that no other host of the domain can set it.
func (s *Stage) cookie(x *exchange.Exchange, name string) string {
	if s.secure(x) {
		return "__Host-" + name
	}
	return name
}

// secure says whether browsers come by https: as the issuer says, since TLS may end in front of us.
func (s *Stage) secure(x *exchange.Exchange) bool { return s.public.secure || x.HTTP.IsTLS() }

// setCookie gives the browser a cookie that no script reads and that other sites' requests do not carry, save links. With
// life 0 it lasts as long as the browser runs, with a negative one it is taken away.
func (s *Stage) setCookie(x *exchange.Exchange, name, value string, life time.Duration) {
	var c fasthttp.Cookie
	c.SetKey(s.cookie(x, name))
	c.SetValue(value)
	c.SetPath("/")
	c.SetHTTPOnly(true)
	c.SetSecure(s.secure(x))
	c.SetSameSite(fasthttp.CookieSameSiteLaxMode)
	switch {
	case life < 0:
		c.SetExpire(fasthttp.CookieExpireDelete)
	case life > 0:
		c.SetMaxAge(int(life / time.Second))
	}
	x.HTTP.Response.Header.SetCookie(&c)
}

// submitted answers a form of ours.
func (s *Stage) submitted(x *exchange.Exchange, r *request) {
	c, f := s.checkForm(x, r)
	switch {
	case f != nil && f.cause == errForeign: // also one that lay open for too long
		s.page(x, r, &pageState{name: r.p[fieldUser], fault: f})
	case f != nil:
		s.show(x, f)
	case r.p[fieldAnswer] == "no":
		s.replyFault(x, r, &fault{code: codeDenied, text: "the user does not want it"})
	case c.Username != "":
		s.consented(x, r, c)
	default:
		s.submittedPassword(x, r)
	}
}

// checkForm finds out whether this browser got that form from us, for this request.
func (s *Stage) checkForm(x *exchange.Exchange, r *request) (*token.Claims, *fault) {
	again := &fault{status: 403, code: codeRequest, text: "This form was too old, or not from here. Please try again.", cause: errForeign}
	if site := string(x.HTTP.Request.Header.Peek("Sec-Fetch-Site")); site == "cross-site" || site == "same-site" {
		return nil, again
	}
	c, err := s.o.Keys.Keys().Verify(r.p[fieldToken], kindForm)
	if errors.Is(err, token.ErrNoKeys) {
		return nil, unavailable(err)
	}
	cookie := sumOf(string(x.HTTP.Request.Header.Cookie(s.cookie(x, cookieForm))))
	if err != nil || subtle.ConstantTimeCompare([]byte(c.Session), []byte(cookie)) != 1 || c.Challenge != r.sum() {
		return nil, again
	}
	return c, nil
}

// consented grants what somebody, whom the form names, has agreed to.
func (s *Stage) consented(x *exchange.Exchange, r *request, c *token.Claims) {
	a := s.accountOf(c)
	if a == nil {
		s.replyFault(x, r, &fault{code: codeDenied, text: "this user gets no tokens", cause: errNoUser})
		return
	}
	first, err := s.o.Sessions.Once(x.Context(), c.ID, c.Expiry.Time().Add(s.o.Keys.Keys().Skew()))
	switch {
	case err != nil:
		s.show(x, unavailable(err))
	case !first:
		s.show(x, &fault{status: 403, code: codeRequest, text: "this form has been sent before", cause: errForm})
	default:
		l := newSession(a, r.client)
		l.since = c.AuthTime.Time()
		s.grant(x, r, l)
	}
}

// submittedPassword logs somebody in who has typed name and password.
func (s *Stage) submittedPassword(x *exchange.Exchange, r *request) {
	p := &pageState{name: r.p[fieldUser]}
	if p.name == "" || r.p[fieldPassword] == "" {
		p.fault = &fault{status: 400, code: codeRequest, text: "Name or password is missing."}
		s.page(x, r, p)
		return
	}
	a, err := s.o.Passwords.Password(x.Context(), attempt(x, r.p, r.p[fieldProvider]))
	if err != nil {
		p.fault = passwordFault(err)
		if p.fault.status == 400 { // wrong: the browser asks for no password of its own
			p.fault.status, p.fault.challenge = 401, `Bearer realm="postern"`
		}
		s.page(x, r, p)
		return
	}
	s.grant(x, r, newSession(a, r.client))
}
