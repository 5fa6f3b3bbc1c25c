package oauth

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/token"
)

const (
	// kindVisit is the kind of token that a browser carries while it is at a provider.
	kindVisit token.Kind = "visit"
	visitLife            = 15 * time.Minute
	// cookieVisit holds it. There is one: who begins a second login in another tab has given the first one up.
	cookieVisit = "postern-visit"
	// maxCookie is what every browser takes, in bytes (RFC 6265, section 6.1).
	maxCookie = 4096
)

// visit is what has to be known when the browser comes back.
type visit struct {
	Provider string    `json:"provider"`
	Visit    idp.Visit `json:"visit"`
	Request  string    `json:"request"` // the authorization request that goes on then, as a query
}

var errVisit = errors.New("the login at the provider did not begin in this browser, or took too long")

// providerLogin logs in at one provider: with a password (POST), or with a visit to its pages (GET).
func (s *Stage) providerLogin(x *exchange.Exchange, provider string) {
	if x.HTTP.IsPost() {
		s.passwordAt(x, provider)
		return
	}
	p, f := query(x)
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
	if f := s.depart(x, r, provider); f != nil {
		s.show(x, f)
	}
}

// passwordAt answers with tokens. As upstream it takes no client for granted; one that is named has to be who it says.
func (s *Stage) passwordAt(x *exchange.Exchange, provider string) {
	p, f := form(x)
	if f != nil {
		refuse(x, f)
		return
	}
	var c *Client
	if p["client_id"] != "" || len(x.HTTP.Request.Header.Peek("Authorization")) > 0 {
		if c, f = s.authenticate(x, p); f != nil {
			refuse(x, f)
			return
		}
	}
	if !slices.ContainsFunc(s.o.Providers, func(o Provider) bool { return o.Name == provider && !o.Pages }) {
		refuse(x, &fault{status: 404, code: codeRequest, text: "there is no identity provider of that name that takes passwords"})
		return
	}
	t, f := s.password(x, c, p, provider)
	if f != nil {
		refuse(x, f)
		return
	}
	writeJSON(x, t)
}

// depart sends the browser to the provider, with a cookie that says what for. Whoever comes back without it, or with
// another state, was sent by somebody else.
func (s *Stage) depart(x *exchange.Exchange, r *request, provider string) *fault {
	if !s.hasPages(provider) {
		return noPages()
	}
	v := visit{Provider: provider, Request: r.values().Encode(), Visit: idp.Visit{
		State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), Redirect: s.callbackURL(provider),
	}}
	to, err := s.o.Visits.AuthorizeURL(x.Context(), provider, v.Visit)
	if err != nil {
		return providerFault(err)
	}
	text, f := s.pack(&v)
	if f != nil {
		return f
	}
	s.setCookie(x, cookieVisit, text, visitLife)
	redirect(x, to, nil, false)
	return nil
}

func (s *Stage) hasPages(provider string) bool {
	return s.o.Visits != nil && slices.ContainsFunc(s.o.Providers, func(o Provider) bool { return o.Name == provider && o.Pages })
}

func noPages() *fault {
	return &fault{status: 404, code: codeRequest, text: "there is no identity provider of that name with pages of its own"}
}

// callbackURL is where the provider sends the browser back to. Without a URL as issuer only the provider's options know.
func (s *Stage) callbackURL(provider string) string {
	if s.public.base == "" {
		return ""
	}
	return s.public.base + "/callback/" + pathEscape(provider)
}

func pathEscape(name string) string { return url.PathEscape(name) }

// pack signs a visit for the browser to carry. What is in it the browser may know: it is about its own login.
func (s *Stage) pack(v *visit) (string, *fault) {
	body, err := json.Marshal(v)
	if err != nil {
		return "", unavailable(err)
	}
	c := s.claims(&granting{account: &account.Account{}, id: v.Visit.State}, kindVisit, time.Now(), visitLife)
	c.Nonce = string(body)
	text, err := s.o.Keys.Keys().Sign(c)
	switch {
	case err != nil:
		return "", keyFault(err)
	case len(text) > maxCookie-64:
		return "", invalid("the request is too long to be kept during a login elsewhere")
	}
	return text, nil
}

// unpack is the visit that the browser carries, if state is its. The cookie is taken away: a visit ends once.
func (s *Stage) unpack(x *exchange.Exchange, provider, state string) (*visit, *fault) {
	text := string(x.HTTP.Request.Header.Cookie(s.cookie(x, cookieVisit)))
	if text == "" {
		return nil, &fault{status: 400, code: codeRequest, text: "the login did not begin in this browser, or took too long", cause: errVisit}
	}
	s.setCookie(x, cookieVisit, "", -1)
	c, err := s.o.Keys.Keys().Verify(text, kindVisit)
	if errors.Is(err, token.ErrNoKeys) {
		return nil, unavailable(err)
	}
	var v visit
	if err == nil {
		err = json.Unmarshal([]byte(c.Nonce), &v)
	}
	if err != nil || v.Provider != provider || subtle.ConstantTimeCompare([]byte(v.Visit.State), []byte(state)) != 1 {
		return nil, &fault{status: 400, code: codeRequest, text: "the login did not begin in this browser, or took too long", cause: errVisit}
	}
	return &v, nil
}

// callback is where the browser comes back to. The login goes on that it left from; without one, where that is allowed,
// whoever asks gets tokens, as upstream.
func (s *Stage) callback(x *exchange.Exchange, provider string) {
	p, f := query(x)
	if f == nil && !s.hasPages(provider) {
		f = noPages()
	}
	if f != nil {
		s.show(x, f)
		return
	}
	v, f := s.unpack(x, provider, p["state"])
	switch {
	case f == nil:
		s.arrived(x, p, v)
	case s.o.BareCallback && len(x.HTTP.Request.Header.Cookie(s.cookie(x, cookieVisit))) == 0:
		s.bare(x, p, provider)
	default:
		s.show(x, f)
	}
}

// arrived goes on with the request that the visit was for.
func (s *Stage) arrived(x *exchange.Exchange, p params, v *visit) {
	repeated, err := parseParams(v.Request)
	if err != nil {
		s.show(x, invalid(err.Error()))
		return
	}
	r, f := s.requestOf(repeated)
	if f == nil {
		f = r.check()
	}
	if f != nil { // the configuration has changed meanwhile
		s.show(x, &fault{status: 400, code: f.code, text: f.text})
		return
	}
	a, f := s.visited(x, p, v.Provider, v.Visit)
	switch {
	case f != nil && f.status == 400:
		s.replyFault(x, r, &fault{code: codeDenied, text: f.text, cause: f.cause})
	case f != nil:
		s.show(x, f)
	case r.consent():
		s.page(x, r, &pageState{user: a, since: time.Now()})
	default:
		s.grant(x, r, newSession(a, r.client))
	}
}

// bare answers a callback that somebody else began, as a console that has its own button for the provider.
func (s *Stage) bare(x *exchange.Exchange, p params, provider string) {
	a, f := s.visited(x, p, provider, idp.Visit{State: p["state"], Redirect: s.callbackURL(provider)})
	if f != nil {
		refuse(x, f)
		return
	}
	t, f := s.begin(x.Context(), newSession(a, nil))
	if f != nil {
		refuse(x, f)
		return
	}
	writeJSON(x, t)
}

// visited is whose account it is that the browser came back for.
func (s *Stage) visited(x *exchange.Exchange, p params, provider string, v idp.Visit) (*account.Account, *fault) {
	callback := url.Values{}
	for key, value := range p {
		callback.Set(key, value)
	}
	a, err := s.o.Visits.Login(x.Context(), provider, v, callback)
	if err == nil && a.State != account.Active {
		err = login.ErrInactive
	}
	s.record(x, provider, a, err)
	if err != nil {
		return nil, providerFault(err)
	}
	return a, nil
}

// record keeps logins at providers of users that are known.
func (s *Stage) record(x *exchange.Exchange, provider string, a *account.Account, err error) {
	if s.o.Recorder == nil || a == nil {
		return
	}
	from := attempt(x, nil, provider)
	r := login.Record{
		User: a.Name, Kind: login.KindOAuth, Provider: provider, SourceIP: from.Address, UserAgent: from.UserAgent,
		Success: err == nil, Time: time.Now(),
	}
	if err != nil {
		r.Reason = err.Error()
	}
	s.o.Recorder.Record(r)
}

// providerFault is why a provider, or the mapping of whom it knows, did not let somebody in.
func providerFault(err error) *fault {
	switch {
	case errors.Is(err, login.ErrInactive):
		return badGrant("this user may not log in", err)
	case errors.Is(err, idp.ErrNoAccount):
		return badGrant("nobody here is linked to that user of the identity provider", err)
	case errors.Is(err, idp.ErrTaken):
		return badGrant("another user here has that name or e-mail", err)
	case errors.Is(err, idp.ErrRefused):
		return badGrant("the identity provider refused", err)
	case errors.Is(err, idp.ErrUnknown):
		return noPages()
	}
	return unavailable(err)
}
