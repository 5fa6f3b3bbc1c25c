// Package selfreview answers what users ask about their own rights: SelfSubjectAccessReview and SelfSubjectRulesReview, by
// which `kubectl auth can-i` and consoles find out what to offer. kube-apiserver cannot answer for Postern: it sees every
// user with the group that stands for Postern's decision, and that group may do everything.
package selfreview

import (
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// name is the stage's name in findings, logs and metrics.
const name = "selfreview"

// Authorizer decides whether a user may do something.
type Authorizer interface {
	Authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision
	// Synced is an error as long as decisions may deny too much, because not all roles have been read. Clients are not
	// told its text.
	Synced() error
}

// Rule is one rule of a role, as in Kubernetes' RBAC: of resources, or of paths.
type Rule struct {
	Verbs, APIGroups, Resources, ResourceNames []string
	NonResourceURLs                            []string
}

// Options of the stage.
type Options struct {
	Authorizer Authorizer // required; the one that decides about requests
	// Rules lists what user may do in namespace. Required.
	Rules func(user *exchange.User, namespace string) []Rule
	// Forward leaves reviews to kube-apiserver: where it knows the user's real groups and decides again, its answer is
	// the one that counts.
	Forward bool
}

// Stage answers reviews of the user's own rights, and passes everything else on.
type Stage struct{ o Options }

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage { return &Stage{o} }

// Name is "selfreview".
func (*Stage) Name() string { return name }

const (
	access = "selfsubjectaccessreviews"
	rules  = "selfsubjectrulesreviews"
)

// isReview says whether x creates a review. Other methods, and paths with a name or namespace, are kube-apiserver's to
// refuse.
func isReview(info *exchange.RequestInfo) bool {
	return (info.Resource == access || info.Resource == rules) && info.APIGroup == authorizationv1.GroupName &&
		info.APIVersion == "v1" && info.Verb == "create" && info.APIPrefix == "apis" && info.Name == "" && info.Namespace == ""
}

// Serve answers reviews with 201. Whether the user may ask at all has been decided before.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	if s.o.Forward || !isReview(&x.Info) {
		next(x)
		return
	}
	x.Handled = name
	if f := s.answer(x); f != nil {
		status.Write(x, f.reason, f.message)
	}
}

// answer writes the answer to x, unless x is wrong.
func (s *Stage) answer(x *exchange.Exchange) *fault {
	media, f := acceptable(x)
	if f != nil {
		return f
	}
	body, f := readBody(x)
	if f != nil {
		return f
	}
	review, f := decode(string(x.HTTP.Request.Header.ContentType()), body, x.Info.Resource)
	if f != nil {
		return f
	}
	switch r := review.(type) {
	case *authorizationv1.SelfSubjectAccessReview:
		f = s.access(x.User, r)
	case *authorizationv1.SelfSubjectRulesReview:
		f = s.rules(x.User, r)
	}
	if f != nil {
		return f
	}
	return write(x, media, review)
}

// Explain says who answers. What would be asked is in the body, which is not known here.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: name, Verdict: exchange.Pass, Reason: "not a review of the user's own rights"}
	switch {
	case !isReview(&x.Info):
	case s.o.Forward:
		f.Reason = "reviews are kube-apiserver's: it decides again"
	default:
		f.Verdict, f.Reason = exchange.Answer, "the gateway says what the user may do by its own decisions"
	}
	return f
}
