package oauth

import (
	"context"
	"errors"
	"slices"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/login"
	"github.com/posternhq/postern/gateway/token"
)

// Values of grant_type. The last one is upstream's name for the first.
const (
	grantCode     = "authorization_code"
	grantRefresh  = "refresh_token"
	grantPassword = "password"
	grantOldCode  = "code"
)

var (
	errEnded    = errors.New("the session has ended")
	errReused   = errors.New("the token has been used before: its session is ended")
	errNotTheir = errors.New("the token was given to another client")
	errNoUser   = errors.New("the user is gone, or disabled")
)

// token is the token endpoint.
func (s *Stage) token(x *exchange.Exchange, _ string) {
	p, f := form(x)
	if f != nil {
		refuse(x, f)
		return
	}
	c, f := s.authenticate(x, p)
	if f != nil {
		refuse(x, f)
		return
	}
	var t *tokens
	switch p["grant_type"] {
	case grantPassword:
		t, f = s.password(x, c, p, p["provider"])
	case grantRefresh:
		t, f = s.refresh(x.Context(), c, p)
	case grantCode, grantOldCode:
		t, f = s.redeem(x.Context(), c, p)
	case "":
		f = invalid("grant_type is missing")
	default:
		f = &fault{status: 400, code: codeGrantType, text: "grant_type is none of password, refresh_token, authorization_code, code"}
	}
	if f != nil {
		refuse(x, f)
		return
	}
	writeJSON(x, t)
}

// password is the resource owner's grant: the client has the user's password. provider is who checks it; empty: we.
func (s *Stage) password(x *exchange.Exchange, c *Client, p params, provider string) (*tokens, *fault) {
	if p["username"] == "" || p["password"] == "" {
		return nil, invalid("username or password is missing")
	}
	scopes, ok := c.scopes(p["scope"])
	if !ok {
		return nil, &fault{status: 400, code: codeScope, text: "the client may not ask for that scope"}
	}
	a, err := s.o.Passwords.Password(x.Context(), attempt(x, p, provider))
	if err != nil {
		return nil, passwordFault(err)
	}
	l := newSession(a, c)
	l.scopes = scopes
	return s.begin(x.Context(), l)
}

// attempt is a login with a password, of where the request came from.
func attempt(x *exchange.Exchange, p params, provider string) login.Attempt {
	a := login.Attempt{Name: p["username"], Password: p["password"], Provider: provider, UserAgent: userAgent(x)}
	if address := x.Client(); address.IsValid() {
		a.Address = address.String()
	}
	return a
}

// maxUserAgent is how much of it is kept, in bytes.
const maxUserAgent = 256

func userAgent(x *exchange.Exchange) string {
	b := x.HTTP.Request.Header.UserAgent()
	return string(b[:min(len(b), maxUserAgent)])
}

// refresh gives new tokens for a refresh token, which is good once. One that comes twice has been stolen, from the client
// or by it: nobody can tell who asks first, so the session ends for both.
func (s *Stage) refresh(ctx context.Context, c *Client, p params) (*tokens, *fault) {
	claims, f := s.verify(p["refresh_token"], token.Refresh)
	if f != nil {
		return nil, f
	}
	// Tokens that no client asked for may be refreshed by any.
	if len(claims.Audience) > 0 && !slices.Contains(claims.Audience, c.Name) {
		return nil, badGrant("the token is not good here", errNotTheir)
	}
	scopes, f := narrowed(c, claims.Scopes, p["scope"])
	if f != nil {
		return nil, f
	}
	l, f := s.sessionOf(claims, c)
	if f != nil {
		return nil, f
	}
	if f := s.once(ctx, claims); f != nil {
		return nil, f
	}
	l.scopes = scopes
	l.withID = slices.Contains(scopes, "openid")
	return s.issue(l)
}

// narrowed are the scopes of a refreshed token: those of before, or fewer.
func narrowed(c *Client, before []string, asked string) ([]string, *fault) {
	if asked == "" {
		return before, nil
	}
	scopes, ok := c.scopes(asked)
	for _, one := range scopes {
		ok = ok && slices.Contains(before, one)
	}
	if !ok {
		return nil, &fault{status: 400, code: codeScope, text: "a refreshed token cannot have more scopes than the one before"}
	}
	return scopes, nil
}

// redeem gives tokens for a code. It has to come from the client that it was made for, with the same redirect URI, and
// with what its challenge is the sum of.
func (s *Stage) redeem(ctx context.Context, c *Client, p params) (*tokens, *fault) {
	claims, f := s.verify(p["code"], token.Code)
	if f != nil {
		return nil, f
	}
	switch {
	case !slices.Contains(claims.Audience, c.Name):
		return nil, badGrant("the code is not good here", errNotTheir)
	case p["redirect_uri"] != claims.RedirectURI && (p["redirect_uri"] != "" || claims.Extra[extraImplied] == nil):
		return nil, badGrant("redirect_uri is not that of the code", nil)
	case c.public() && claims.Challenge == "", !verified(claims.Challenge, p["code_verifier"]):
		return nil, badGrant("code_verifier does not fit the code", nil)
	}
	l, f := s.sessionOf(claims, c)
	if f != nil {
		return nil, f
	}
	if f := s.once(ctx, claims); f != nil {
		return nil, f
	}
	l.scopes, l.nonce, l.withID = claims.Scopes, claims.Nonce, slices.Contains(claims.Scopes, "openid")
	return s.begin(ctx, l)
}

// verify checks a token that a client has sent.
func (s *Stage) verify(text string, kind token.Kind) (*token.Claims, *fault) {
	if text == "" {
		return nil, invalid(string(kind) + " is missing")
	}
	claims, err := s.o.Keys.Keys().Verify(text, kind)
	switch {
	case errors.Is(err, token.ErrNoKeys):
		return nil, unavailable(err)
	case err != nil:
		return nil, badGrant("the token is not good, or not any more", err)
	}
	return claims, nil
}

// sessionOf is the session that a token is of, unless it has ended.
func (s *Stage) sessionOf(claims *token.Claims, c *Client) (*granting, *fault) {
	ready := s.ready()
	a := s.accountOf(claims)
	if a == nil && ready != nil {
		return nil, unavailable(ready)
	}
	if a == nil {
		return nil, badGrant("the token is not good any more", errNoUser)
	}
	if s.ended(claims) {
		return nil, badGrant("the token is not good any more", errEnded)
	}
	l := &granting{id: claims.Session, account: a, client: c, since: claims.IssuedAt.Time()}
	if claims.AuthTime != nil {
		l.since = claims.AuthTime.Time()
	}
	return l, nil
}

// ended says whether the session of a token has. One without a time of issue has, since nothing else could end it.
func (s *Stage) ended(c *token.Claims) bool {
	return c.IssuedAt == nil || s.o.Sessions.Ended(c.Username, c.Session, c.IssuedAt.Time())
}

// once uses the token up. The second time its session ends.
func (s *Stage) once(ctx context.Context, claims *token.Claims) *fault {
	until := s.over()
	if claims.Expiry != nil {
		until = claims.Expiry.Time().Add(s.o.Keys.Keys().Skew())
	}
	first, err := s.o.Sessions.Once(ctx, claims.ID, until)
	if err != nil {
		return unavailable(err)
	}
	if first {
		return nil
	}
	if err := s.o.Sessions.EndSession(ctx, claims.Session, s.over()); err != nil {
		return unavailable(err)
	}
	return badGrant("the token has been used before", errReused)
}
