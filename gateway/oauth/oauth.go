// Package oauth is the platform's OAuth 2 and OpenID Connect server: it answers /oauth/*. Its tokens are those that the
// gateway takes as bearer tokens, and kube-apiserver by a TokenReview webhook.
//
// A login is a session: the tokens that come of it, by refreshing too, carry its id (sid), and end with it. Codes and forms
// are signed texts, so that any replica can go on where another one began; what may be used once is remembered in the
// store of sessions.
package oauth

import (
	"context"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/token"
)

// name is the stage's name in findings, logs and metrics.
const name = "oauth"

// Passwords checks them.
type Passwords interface {
	Password(ctx context.Context, a login.Attempt) (*account.Account, error)
}

// Sessions know which logins have ended.
type Sessions interface {
	Ended(user, session string, issued time.Time) bool
	EndSession(ctx context.Context, session string, until time.Time) error
	// EndUser ends all sessions of user that began until now, except keep; EndOlder those that began before that one.
	EndUser(ctx context.Context, user, keep string, until time.Time) error
	EndOlder(ctx context.Context, user, session string, until time.Time) error
	// Once is true the first time that somebody asks for id, until that time.
	Once(ctx context.Context, id string, until time.Time) (first bool, err error)
}

// Visits log users in at identity providers that have pages of their own.
type Visits interface {
	// AuthorizeURL is where the browser goes.
	AuthorizeURL(ctx context.Context, provider string, v idp.Visit) (string, error)
	// Login says whose account it is with whom the browser came back.
	Login(ctx context.Context, provider string, v idp.Visit, callback url.Values) (*account.Account, error)
}

// Provider is an identity provider on the login page.
type Provider struct {
	Name  string
	Pages bool // has pages of its own; else it takes passwords
}

// Options of the stage. They come from the section authentication.oauthOptions, and from postern.authentication.
type Options struct {
	Keys      *token.Ring // required
	Users     account.Users
	Ready     func() error // nil once Users has everybody; may be nil
	Passwords Passwords
	Sessions  Sessions
	Visits    Visits         // nil: no provider has pages
	Recorder  login.Recorder // nil: logins at providers are not recorded

	// Issuer is iss of the tokens. If it is an http or https URL the gateway is an OpenID provider and has a discovery document.
	Issuer    string
	Clients   []Client
	Providers []Provider
	// MaxAge and Inactivity are the lives of tokens that no client asked for: see Client.
	MaxAge, Inactivity time.Duration
	MultipleLogin      bool // a login leaves the user's other sessions alone
	Implicit           bool // response_type token is answered, too
	// BareCallback has callbacks of providers answered with tokens also when the visit did not begin in that browser: whoever
	// asks must have checked the state.
	BareCallback bool
	Metrics      *Metrics // nil: not counted
}

// Stage answers /oauth/* and passes everything else on. It keeps nothing but its options.
type Stage struct {
	o       Options
	clients map[string]*Client
	public  endpoints
	life    time.Duration // of the longest session that nobody refreshes
}

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage {
	s := &Stage{o: o, clients: make(map[string]*Client, len(o.Clients)), public: endpointsOf(o.Issuer), life: lifeOf(o.MaxAge, o.Inactivity)}
	for i := range o.Clients {
		c := &o.Clients[i]
		s.clients[c.Name] = c
		s.life = max(s.life, lifeOf(c.MaxAge, c.Inactivity))
	}
	return s
}

// forever is the life of what never expires.
const forever = time.Duration(math.MaxInt64)

// lifeOf is how long the tokens of a session last when they are not refreshed.
func lifeOf(maxAge, inactivity time.Duration) time.Duration {
	if maxAge == 0 {
		return forever
	}
	return maxAge + inactivity
}

// over is when every token given out until now has expired; zero: never.
func (s *Stage) over() time.Time {
	if s.life == forever {
		return time.Time{}
	}
	return time.Now().Add(s.life + s.o.Keys.Keys().Skew())
}

// Name is "oauth".
func (*Stage) Name() string { return name }

// route is one endpoint.
type route struct {
	name   string // in metrics
	get    bool   // and HEAD
	post   bool
	answer func(s *Stage, x *exchange.Exchange, provider string)
}

const prefix = "/oauth/"

// rootDiscovery is where clients look if the issuer has no path.
const rootDiscovery = "/.well-known/openid-configuration"

var routes = map[string]*route{
	"/oauth" + rootDiscovery: {"discovery", true, false, (*Stage).discovery},
	rootDiscovery:            {"discovery", true, false, (*Stage).discovery},
	"/oauth/keys":            {"keys", true, false, (*Stage).keys},
	"/oauth/userinfo":        {"userinfo", true, true, (*Stage).userinfo},
	"/oauth/authenticate":    {"authenticate", false, true, (*Stage).review},
	"/oauth/authorize":       {"authorize", true, true, (*Stage).authorize},
	"/oauth/token":           {"token", false, true, (*Stage).token},
	"/oauth/logout":          {"logout", true, true, (*Stage).logout},
}

var (
	callbackRoute = &route{"callback", true, false, (*Stage).callback}
	loginRoute    = &route{"login", true, true, (*Stage).providerLogin}
)

// find is the endpoint that path names, and the provider in it; nil: none.
func (s *Stage) find(path string) (*route, string) {
	if path == rootDiscovery && !s.public.atRoot {
		return nil, ""
	}
	if r := routes[path]; r != nil {
		return r, ""
	}
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok {
		return nil, ""
	}
	kind, provider, _ := strings.Cut(rest, "/")
	if provider == "" || strings.Contains(provider, "/") {
		return nil, ""
	}
	switch kind {
	case "callback":
		return callbackRoute, provider
	case "login":
		return loginRoute, provider
	}
	return nil, ""
}

// Ours says whether path is one where the stage reads credentials itself: those of clients, not of users. Nobody else may
// look at the Authorization header of such a request.
func Ours(path string) bool {
	switch path {
	case "/oauth/authorize", "/oauth/userinfo", "/oauth/logout":
		return false
	}
	return strings.HasPrefix(path, prefix)
}

// Serve answers the endpoints.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	r, provider := s.find(x.Info.Path)
	if r == nil {
		next(x)
		return
	}
	x.Handled = name
	noStore(x)
	switch {
	case r.post && x.HTTP.IsPost() || r.get && (x.HTTP.IsGet() || x.HTTP.IsHead()):
		s.serve(x, r, provider)
	default:
		x.HTTP.Response.Header.Set("Allow", allow(r))
		refuse(x, &fault{status: 405, code: codeRequest, text: "this endpoint does not take that method"})
	}
	s.o.Metrics.count(r.name, x.HTTP.Response.StatusCode())
}

// serve answers, unless somebody asks as somebody else: what is given out here outlives the request, and would make them
// that user.
func (s *Stage) serve(x *exchange.Exchange, r *route, provider string) {
	if x.Impersonator != nil {
		refuse(x, &fault{status: 403, code: codeDenied, text: "this endpoint does not take impersonation"})
		return
	}
	r.answer(s, x, provider)
}

func allow(r *route) string {
	switch {
	case r.get && r.post:
		return "GET, HEAD, POST"
	case r.get:
		return "GET, HEAD"
	}
	return "POST"
}

// Explain says who answers.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: name, Verdict: exchange.Pass, Reason: "no endpoint of the OAuth server"}
	if r, _ := s.find(x.Info.Path); r != nil {
		f.Verdict, f.Reason = exchange.Answer, "the OAuth server answers: "+r.name
	}
	return f
}
