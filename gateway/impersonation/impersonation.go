// Package impersonation lets those who may act as somebody else do so, by the Impersonate-* headers of Kubernetes. For
// everybody else such a header is a refusal.
package impersonation

import (
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// name is the stage's name in findings, logs and metrics.
const name = "impersonation"

// Authorizer decides whether a user may do something.
type Authorizer interface {
	Authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision
}

// Options of the stage.
type Options struct{ Authorizer Authorizer } // required

// Stage replaces an exchange's User by the one who is asked for, and keeps the asker as Impersonator.
type Stage struct{ o Options }

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage { return &Stage{o} }

// Name is "impersonation".
func (*Stage) Name() string { return name }

// Serve passes on requests without such headers as they are, others with another user or not at all.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	h := &x.HTTP.Request.Header
	n := count(h)
	if n == 0 {
		next(x)
		return
	}
	if n > maxHeaders {
		s.refuse(x, status.BadRequest, "too many impersonation headers")
		return
	}
	w, err := parse(h)
	if err != nil {
		s.refuse(x, status.BadRequest, err.Error())
		return
	}
	remove(h, n)
	if w.empty() {
		next(x)
		return
	}
	if denied := s.check(x.User, w); denied != "" {
		s.refuse(x, status.Forbidden, denied)
		return
	}
	if w.user == "" {
		s.refuse(x, status.BadRequest, "cannot impersonate groups, uid or extra without a user")
		return
	}
	x.Impersonator, x.User = x.User, w.become()
	next(x)
}

func (*Stage) refuse(x *exchange.Exchange, reason status.Reason, message string) {
	x.Handled = name
	status.Write(x, reason, message)
}

// check asks for every part of w, as kube-apiserver does, and words the first denial.
func (s *Stage) check(asker *exchange.User, w wanted) string {
	for _, info := range w.questions() {
		if !s.o.Authorizer.Authorize(asker, &info).Allowed {
			return denial(asker, &info)
		}
	}
	return ""
}

// Explain does not know headers: `postern explain --as` names the user who is left after this stage.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: name, Verdict: exchange.Pass, Reason: "no impersonation headers"}
	if n := count(&x.HTTP.Request.Header); n == 0 {
		return f
	}
	w, err := parse(&x.HTTP.Request.Header)
	if err != nil {
		f.Verdict, f.Code, f.Reason = exchange.Refuse, status.BadRequest.Code(), err.Error()
	} else if denied := s.check(x.User, w); denied != "" {
		f.Verdict, f.Code, f.Reason = exchange.Refuse, status.Forbidden.Code(), denied
	} else {
		f.Reason = "may act as " + w.user
	}
	return f
}

// wanted is who the headers ask for.
type wanted struct {
	user, uid string
	groups    []string
	extra     map[string][]string
}

func (w *wanted) empty() bool {
	return w.user == "" && w.uid == "" && len(w.groups) == 0 && len(w.extra) == 0
}

const serviceAccounts = "system:serviceaccount:"

// account splits the user name of a service account.
func (w *wanted) account() (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(w.user, serviceAccounts)
	if !ok {
		return "", "", false
	}
	namespace, name, ok = strings.Cut(rest, ":")
	return namespace, name, ok && namespace != "" && name != "" && !strings.Contains(name, ":")
}

// questions are what the asker must be allowed: the verb impersonate on each part.
func (w *wanted) questions() []exchange.RequestInfo {
	ask := func(group, resource, name string) exchange.RequestInfo {
		return exchange.RequestInfo{Verb: "impersonate", APIGroup: group, Resource: resource, Name: name, IsResourceRequest: true}
	}
	const users = "authentication.k8s.io"
	var all []exchange.RequestInfo
	if namespace, account, ok := w.account(); ok {
		q := ask("", "serviceaccounts", account)
		q.Namespace, q.Scope = namespace, exchange.ScopeNamespace
		all = append(all, q)
	} else if w.user != "" {
		all = append(all, ask("", "users", w.user))
	}
	for _, g := range w.groups {
		all = append(all, ask("", "groups", g))
	}
	if w.uid != "" {
		all = append(all, ask(users, "uids", w.uid))
	}
	for key, values := range w.extra {
		for _, v := range values {
			q := ask(users, "userextras", v)
			q.Subresource = key
			all = append(all, q)
		}
	}
	return all
}

// become is the user with the groups that every such user has, as kube-apiserver adds them. Groups of the account of
// that name do not count: the headers say it all.
func (w *wanted) become() *exchange.User {
	groups := w.groups
	add := func(g string) {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	if namespace, _, ok := w.account(); ok && len(groups) == 0 {
		add("system:serviceaccounts")
		add("system:serviceaccounts:" + namespace)
	}
	if w.user == "system:anonymous" {
		add("system:unauthenticated")
	} else if !slices.Contains(groups, "system:unauthenticated") {
		add("system:authenticated")
	}
	return &exchange.User{Name: w.user, UID: w.uid, Groups: groups, Extra: w.extra, Method: name}
}
