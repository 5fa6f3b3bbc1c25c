// Package authn finds out who asks: nobody in particular (anonymous), a user with a password (basic) or a user with an
// access token (bearer). Behind it no credential is left in the request.
package authn

import (
	"bytes"
	"crypto/rand"
	"errors"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// name is the stage's name in findings, logs and metrics.
const name = "authn"

// Methods of authentication, as in exchange.User.Method.
const (
	Anonymous = "anonymous"
	Basic     = "basic"
	Bearer    = "bearer"
)

// anonymous is who asks without credentials.
var anonymous = &exchange.User{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}, Method: Anonymous}

// Options of the stage. They come from the section authentication of kubesphere.yaml and from postern.anonymous.
type Options struct {
	Users Users // nil: nobody has an account
	// AllowAnonymous lets requests without credentials pass as system:anonymous; else they are answered 401, except for
	// paths that Open names. Open may be nil; it is there for the login itself.
	AllowAnonymous bool
	Open           func(path string) bool

	Secret    []byte        // signs tokens (HS256); empty: a random one, so that no token of before is good
	Issuer    string        // iss that tokens must have; empty: any
	ClockSkew time.Duration // how far the clocks of issuer and gateway may differ
	MaxAge    time.Duration // life of access tokens; with 0 they need no exp

	// ReservedGroups are groups that an account does not get by naming them, besides those that begin with `system:`.
	ReservedGroups []string
	Metrics        *Metrics // nil: not counted
}

// Stage fills an exchange's User, or answers 401. A new one starts with empty caches.
type Stage struct {
	o      Options
	basic  *basic
	bearer *bearer
}

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage {
	if o.Users == nil {
		o.Users = nobody{}
	}
	if len(o.Secret) == 0 {
		o.Secret = make([]byte, 32)
		_, _ = rand.Read(o.Secret) // never fails
	}
	s := &Stage{o: o}
	s.basic, s.bearer = newBasic(s), newBearer(s)
	return s
}

// Name is "authn".
func (*Stage) Name() string { return name }

// Serve fills x.User and takes the credentials out of the request, or refuses it. Wrong credentials are refused
// everywhere, also where none are needed: whoever sends them means to be somebody.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	c := scan(&x.HTTP.Request.Header)
	user, method, err := s.identify(c, &x.Info)
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
	errPassword  = errors.New("wrong user name or password")
	errNoAccount = errors.New("no such user")
	errInactive  = errors.New("user is not active")
	errBusy      = errors.New("too many passwords are being checked")
)

// identify says who asks, and by which method it was tried to find out.
func (s *Stage) identify(c credentials, info *exchange.RequestInfo) (user *exchange.User, method string, err error) {
	if c.untrusted > maxUntrusted {
		return nil, "other", errTooMany
	}
	if c.count == 0 {
		if s.o.AllowAnonymous || s.o.Open != nil && s.o.Open(info.Path) {
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
		user, err = s.bearer.verify(bytes.Trim(rest, " "))
		return user, Bearer, err
	case equalFold(scheme, "basic"):
		user, err = s.basic.verify(bytes.Trim(rest, " "))
		return user, Basic, err
	}
	return nil, "other", errScheme
}

// refuse answers 401, or 429 when passwords are not being checked for want of CPU.
func (s *Stage) refuse(x *exchange.Exchange, err error) {
	x.Handled = name
	if errors.Is(err, errBusy) {
		status.Write(x, status.TooManyRequests, "too many logins at once, please try again")
		x.HTTP.Response.Header.Set("Retry-After", "1")
	} else {
		status.Write(x, status.Unauthorized, "Unauthorized")
		x.HTTP.Response.Header.Set("WWW-Authenticate", challenge(x))
	}
	x.Reason = err.Error()
}

// challenge asks a browser that opens a page for a password. Everybody else hears of tokens: `Basic` in the answer to a
// script's call would make the browser show its password box over the console.
func challenge(x *exchange.Exchange) string {
	if bytes.Contains(x.HTTP.Request.Header.Peek("Accept"), []byte("text/html")) {
		return `Basic realm="postern", charset="UTF-8"`
	}
	return `Bearer realm="postern"`
}
