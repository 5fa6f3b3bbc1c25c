package authn

import (
	"fmt"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/authn/review"
	"github.com/posternhq/postern/gateway/exchange"
)

// user is the account as somebody who asks. Of its groups those stay away that only the platform gives: whoever may edit
// users could otherwise make them system:masters.
func (s *Stage) user(a *account.Account, method string, extra map[string][]string) *exchange.User {
	groups := make([]string, 0, len(a.Groups)+1)
	for _, g := range a.Groups {
		if s.mayHave(g) {
			groups = append(groups, g)
		}
	}
	groups = append(groups, authenticated)
	return &exchange.User{Name: a.Name, UID: a.UID, Groups: groups, Extra: extra, Method: method}
}

// authenticated is the group of everybody who has shown who they are.
const authenticated = "system:authenticated"

// mayHave says whether somebody may have a group because somebody other than the platform says so.
func (s *Stage) mayHave(group string) bool {
	return group != "" && !strings.HasPrefix(group, "system:") && !slices.Contains(s.o.ReservedGroups, group)
}

// Lookup is the user or service account of that name as a request of theirs would have it, for `postern explain --as`. An error says why
// they could not log in.
func (s *Stage) Lookup(name string) (*exchange.User, error) {
	if name == anonymous.Name {
		return anonymous, nil
	}
	if u := serviceAccount(name); u != nil && s.o.Reviewer != nil {
		return u, nil
	}
	a := s.o.Users.Account(name)
	if a == nil {
		return nil, fmt.Errorf("cannot find user %q: %w", name, errNoAccount)
	}
	if a.State != account.Active {
		return nil, fmt.Errorf("cannot act as user %q in state %q: %w", name, a.State, errInactive)
	}
	return s.user(a, "", nil), nil
}

// serviceAccount is the user that kube-apiserver says a service account is; nil: that is no name of one.
func serviceAccount(name string) *exchange.User {
	namespace, account, ok := strings.Cut(strings.TrimPrefix(name, review.Prefix), ":")
	if !ok || !strings.HasPrefix(name, review.Prefix) || namespace == "" || account == "" {
		return nil
	}
	return &exchange.User{Name: name, Groups: []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, authenticated}}
}

// Explain says who asks: the user that was given, or who a request without credentials would be. It checks no password.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: name, Verdict: exchange.Pass}
	switch {
	case x.User != nil:
		f.Reason = "user " + x.User.Name
		f.Details = map[string]any{"user": x.User.Name, "groups": x.User.Groups}
	case s.o.AllowAnonymous || s.o.Open != nil && s.o.Open(x.Info.Path):
		f.Reason = "no user given; without credentials it is " + anonymous.Name
	default:
		f.Reason = "no user given; without credentials it is refused with 401"
	}
	return f
}
