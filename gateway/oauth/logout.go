package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/token"
)

var errHint = errors.New("id_token_hint is of somebody else")

// logout ends a session: that of the bearer token or, for a browser that a client has sent here, that of id_token_hint.
// Whoever asks by password, or with a token that belongs to no session, has all sessions ended, as upstream does for
// everybody: with one for each device, logging out of the telephone must not end the work at the desk.
func (s *Stage) logout(x *exchange.Exchange, _ string) {
	p, f := logoutInput(x)
	if f != nil {
		s.show(x, f)
		return
	}
	hint, f := s.hint(p["id_token_hint"])
	if f == nil {
		f = s.checkLogout(x, p, hint)
	}
	if f == nil {
		f = s.end(x, hint)
	}
	switch to := p["post_logout_redirect_uri"]; {
	case f != nil:
		s.show(x, f)
	case to == "":
		writeJSON(x, struct {
			Message string `json:"message"`
		}{"success"})
	default:
		v := url.Values{}
		if state := p["state"]; state != "" {
			v.Set("state", state)
		}
		redirect(x, to, v, false)
	}
}

// logoutInput also takes a POST without a body.
func logoutInput(x *exchange.Exchange) (params, *fault) {
	if x.HTTP.IsPost() && len(x.HTTP.Request.Header.ContentType()) > 0 {
		return form(x)
	}
	return query(x)
}

// hint is the id token of the session to end; nil: none was given. It may have expired since (OpenID Connect RP-Initiated
// Logout 1.0, section 2), so it is checked as of when it was issued.
func (s *Stage) hint(text string) (*token.Claims, *fault) {
	if text == "" {
		return nil, nil
	}
	c, err := s.o.Keys.Keys().VerifyAt(issuedAt(text), text, token.ID)
	switch {
	case errors.Is(err, token.ErrNoKeys):
		return nil, unavailable(err)
	case err != nil:
		return nil, &fault{status: 400, code: codeRequest, text: "id_token_hint is no id token of this gateway", cause: err}
	}
	return c, nil
}

// issuedAt is what a token that nobody has verified says of its time; now if it says nothing that may be.
func issuedAt(text string) time.Time {
	now := time.Now()
	_, rest, _ := strings.Cut(text, ".")
	payload, _, _ := strings.Cut(rest, ".")
	var c struct {
		IssuedAt int64 `json:"iat"`
	}
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil || json.Unmarshal(b, &c) != nil || c.IssuedAt <= 0 || c.IssuedAt > now.Unix() {
		return now
	}
	return time.Unix(c.IssuedAt, 0)
}

// checkLogout finds what is wrong before anything ends: a hint of somebody else, and a redirect to where no client of the
// configuration lives. `*` does not count here: it would send people anywhere who follow a link to the platform.
func (s *Stage) checkLogout(x *exchange.Exchange, p params, hint *token.Claims) *fault {
	if hint != nil && known(x) && hint.Username != x.User.Name {
		return &fault{status: 400, code: codeRequest, text: "id_token_hint is of another user", cause: errHint}
	}
	id := p["client_id"]
	if id != "" && s.clients[id] == nil || id != "" && hint != nil && !slices.Contains(hint.Audience, id) {
		return &fault{status: 400, code: codeClient, text: "client_id names no client, or not that of id_token_hint"}
	}
	to := p["post_logout_redirect_uri"]
	if to == "" {
		return nil
	}
	for name, c := range s.clients {
		if (id == "" || id == name) && (hint == nil || slices.Contains(hint.Audience, name)) && c.registered(to) {
			return nil
		}
	}
	return invalid("post_logout_redirect_uri is not registered: it has to be one of the redirectURIs of the client, and * is none")
}

// known says whether somebody asks who has said who they are.
func known(x *exchange.Exchange) bool { return x.User != nil && x.User.Method != anonymous }

// end ends what there is to end. For nobody there is nothing.
func (s *Stage) end(x *exchange.Exchange, hint *token.Claims) *fault {
	var err error
	switch until := s.over(); {
	case x.Session != "":
		err = s.o.Sessions.EndSession(x.Context(), x.Session, until)
	case known(x):
		err = s.o.Sessions.EndUser(x.Context(), x.User.Name, "", until)
	case hint != nil && hint.Session != "":
		err = s.o.Sessions.EndSession(x.Context(), hint.Session, until)
	}
	if err != nil {
		return unavailable(err)
	}
	return nil
}
