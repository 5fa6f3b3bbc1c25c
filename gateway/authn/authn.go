// Package authn finds out who asks: nobody in particular (anonymous), a user with a password (basic), a user or service
// account with a token (bearer), or whoever has a certificate (x509). Behind it no credential is left in the request.
package authn

import (
	"bytes"
	"errors"
	"hash/maphash"
	"math"
	"strconv"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn/oidc"
	"github.com/posternhq/postern/gateway/authn/review"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/gateway/token"
)

// name is the stage's name in findings, logs and metrics.
const name = "authn"

// Methods of authentication, as in exchange.User.Method.
const (
	Anonymous = "anonymous"
	Basic     = "basic"
	Bearer    = "bearer" // a token of ours

	OIDC           = "oidc" // a token of another issuer
	ServiceAccount = "serviceaccount"
	Certificate    = "x509"
)

// anonymous is who asks without credentials.
var anonymous = &exchange.User{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}, Method: Anonymous}

// Sessions know which have ended.
type Sessions interface {
	// Ended says whether a session of the user has ended, or all that were issued at that time.
	Ended(user, session string, issued time.Time) bool
	// Epoch changes with every end.
	Epoch() uint64
}

// Options of the stage. They come from the section authentication of kubesphere.yaml and from postern.
type Options struct {
	Users account.Users // nil: nobody has an account
	// Ready is nil once Users has everybody; until then a token of somebody whom it lacks may be good. May be nil.
	Ready func() error
	// AllowAnonymous lets requests without credentials pass as system:anonymous; else they are answered 401, except for
	// paths that Open names. Open may be nil; it is there for the login itself.
	AllowAnonymous bool
	Open           func(path string) bool
	// Leave names paths whose Authorization header is not a user's: it is left to who answers there. May be nil.
	Leave func(path string) bool

	Logins   *login.Checker // nil: one of its own, without throttle
	Keys     *token.Ring    // nil: no token is good
	Sessions Sessions       // nil: none ends before its time
	Cache    *Cache         // of tokens; nil: one of its own
	MaxAge   time.Duration  // life of access tokens; with 0 they need no exp

	Issuers      []*oidc.Issuer   // whose tokens are good, too
	Reviewer     *review.Reviewer // knows tokens of service accounts; nil: they are not good
	Certificates Certificates

	// ReservedGroups are groups that nobody gets by naming them, besides those that begin with `system:`.
	ReservedGroups []string
	Metrics        *Metrics // nil: not counted
}

// Stage fills an exchange's User, or answers 401.
type Stage struct {
	o     Options
	users *users

	certificates certificates
}

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage {
	if o.Users == nil {
		o.Users = (*account.Directory)(nil)
	}
	if o.Logins == nil {
		o.Logins = login.New(login.Options{Users: o.Users})
	}
	if o.Cache == nil {
		o.Cache = new(Cache)
	}
	return &Stage{o: o, users: &users{seed: maphash.MakeSeed()}}
}

// Name is "authn".
func (*Stage) Name() string { return name }

// Serve fills x.User and takes the credentials out of the request, or refuses it. Wrong credentials are refused
// everywhere, also where none are needed: whoever sends them means to be somebody.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	if s.o.Leave != nil && s.o.Leave(x.Info.Path) {
		s.o.Metrics.count(Anonymous, nil)
		x.User = anonymous
		next(x)
		return
	}
	c := scan(&x.HTTP.Request.Header)
	user, method, err := s.identify(x, c)
	s.o.Metrics.count(method, err)
	if err != nil {
		s.refuse(x, err)
		return
	}
	removeUntrusted(&x.HTTP.Request.Header, c.untrusted)
	x.User = user
	next(x)
}

// Reasons of a refusal. The client learns none of them; the access log has them.
var (
	errMissing   = errors.New("no credentials")
	errRepeated  = errors.New("more than one Authorization header")
	errTooMany   = errors.New("too many headers that say who asks")
	errScheme    = errors.New("unknown authorization scheme")
	errMalformed = errors.New("malformed credentials")
	errTooLong   = errors.New("credentials too long")
	errNoAccount = errors.New("no such user")
	errInactive  = errors.New("user is not active")
	errNotReady  = errors.New("users have not been read yet")

	errCertificateTime = errors.New("certificate is not valid any more, or not yet")
	errCertificateName = errors.New("certificate without a name that it may have")
)

// identify says who asks, and by which method it was tried to find out.
func (s *Stage) identify(x *exchange.Exchange, c credentials) (user *exchange.User, method string, err error) {
	if c.untrusted > maxUntrusted {
		return nil, "other", errTooMany
	}
	if c.count == 0 && s.o.Certificates.Enabled {
		if user, err = s.certificate(x); user != nil || err != nil {
			return user, Certificate, err
		}
	}
	if c.count == 0 {
		if s.o.AllowAnonymous || s.o.Open != nil && s.o.Open(x.Info.Path) {
			return anonymous, Anonymous, nil
		}
		return nil, Anonymous, errMissing
	}
	if c.count > 1 {
		return nil, "other", errRepeated
	}
	scheme, rest, _ := bytes.Cut(c.authorization, []byte(" "))
	switch {
	case equalFold(scheme, "bearer"):
		if user, err = s.bearer(x, bytes.Trim(rest, " ")); err != nil {
			return nil, Bearer, err
		}
		return user, user.Method, nil
	case equalFold(scheme, "basic"):
		user, err = s.basic(x, bytes.Trim(rest, " "))
		return user, Basic, err
	}
	return nil, "other", errScheme
}

// refuse answers 401; 429 when passwords are not being checked, for want of CPU or after too many failures; 503 while
// there is nothing to check tokens with: whoever was logged in still is.
func (s *Stage) refuse(x *exchange.Exchange, err error) {
	x.Handled = name
	var throttled *login.Throttled
	switch {
	case errors.As(err, &throttled):
		later(x, status.TooManyRequests, "too many failed logins, please try again later", throttled.RetryAfter)
	case errors.Is(err, login.ErrBusy):
		later(x, status.TooManyRequests, "too many logins at once, please try again", time.Second)
	case errors.Is(err, review.ErrBusy):
		later(x, status.TooManyRequests, "too many tokens at once, please try again", time.Second)
	case errors.Is(err, errNotReady), errors.Is(err, login.ErrUnavailable):
		later(x, status.ServiceUnavailable, "users are not known yet, please try again", time.Second)
	case errors.Is(err, token.ErrNoKeys), errors.Is(err, oidc.ErrUnavailable), errors.Is(err, review.ErrUnavailable):
		later(x, status.ServiceUnavailable, "tokens cannot be checked yet, please try again", time.Second)
	default:
		status.Write(x, status.Unauthorized, "Unauthorized")
		x.HTTP.Response.Header.Set("WWW-Authenticate", challenge(x))
	}
	x.Reason = err.Error()
}

// later refuses and says when to come again, in whole seconds, rounded up.
func later(x *exchange.Exchange, reason status.Reason, message string, after time.Duration) {
	status.Write(x, reason, message)
	x.HTTP.Response.Header.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(after.Seconds())))))
}

// challenge asks a browser that opens a page for a password. Everybody else hears of tokens: `Basic` in the answer to a
// script's call would make the browser show its password box over the console.
func challenge(x *exchange.Exchange) string {
	if bytes.Contains(x.HTTP.Request.Header.Peek("Accept"), []byte("text/html")) {
		return `Basic realm="postern", charset="UTF-8"`
	}
	return `Bearer realm="postern"`
}
