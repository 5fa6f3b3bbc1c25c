package oauth

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/gateway/token"
)

// tokenReview is as much of authentication.k8s.io TokenReview as is needed. The types of Kubernetes would tie the stage
// to a version; v1 and v1beta1 have these fields alike.
type tokenReview struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Spec       struct {
		Token string `json:"token"`
	} `json:"spec"`
}

type reviewStatus struct {
	Authenticated bool        `json:"authenticated"`
	User          *reviewUser `json:"user,omitempty"`
	Error         string      `json:"error,omitempty"`
}

type reviewUser struct {
	Username string `json:"username"`
	UID      string `json:"uid,omitempty"`
}

// review is kube-apiserver's webhook: whose token is this? A token that is not good is an answer and no error. Upstream
// says 400 then, which kube-apiserver takes for a failure of the webhook and tries again.
func (s *Stage) review(x *exchange.Exchange, _ string) {
	body, f := readBody(x)
	if f != nil {
		status.WriteCode(x, f.status, f.text)
		return
	}
	var r tokenReview
	if err := json.Unmarshal(body, &r); err != nil {
		status.Write(x, status.BadRequest, "the body is not a TokenReview")
		return
	}
	if r.Kind != "TokenReview" || r.APIVersion != "authentication.k8s.io/v1" && r.APIVersion != "authentication.k8s.io/v1beta1" {
		status.Write(x, status.BadRequest, "the body is not a TokenReview of authentication.k8s.io/v1 or v1beta1")
		return
	}
	answer, err := s.reviewed(r.Spec.Token)
	if errors.Is(err, token.ErrNoKeys) { // it may be good
		status.Write(x, status.ServiceUnavailable, "tokens cannot be checked yet, please try again")
		x.HTTP.Response.Header.Set("Retry-After", "1")
		return
	}
	if err != nil {
		x.Reason = err.Error()
	}
	writeJSON(x, struct {
		APIVersion string       `json:"apiVersion"`
		Kind       string       `json:"kind"`
		Status     reviewStatus `json:"status"`
	}{r.APIVersion, r.Kind, answer})
}

// reviewed takes access tokens alone, of users who are there and whose session has not ended. err is for the log.
func (s *Stage) reviewed(text string) (reviewStatus, error) {
	c, err := s.o.Keys.Keys().Verify(strings.TrimSpace(text), token.Access, token.Static)
	if err != nil {
		return reviewStatus{Error: "the token is not good"}, err
	}
	a := s.accountOf(c)
	switch {
	case a == nil:
		return reviewStatus{Error: "the token is not good any more"}, errNoUser
	case s.ended(c):
		return reviewStatus{Error: "the token is not good any more"}, errEnded
	case c.Expiry == nil && c.Kind == token.Access && s.o.MaxAge > 0:
		return reviewStatus{Error: "the token is not good"}, errNoEnd
	}
	return reviewStatus{Authenticated: true, User: &reviewUser{Username: a.Name, UID: a.UID}}, nil
}

var errNoEnd = errors.New("access token without exp")
