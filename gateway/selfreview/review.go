package selfreview

import (
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// unread is what clients are told while roles are missing.
const unread = "not all roles have been read yet"

// fault is why a review has no answer.
type fault struct {
	reason  status.Reason
	message string
}

// access decides what r asks about.
func (s *Stage) access(user *exchange.User, r *authorizationv1.SelfSubjectAccessReview) *fault {
	if (r.Spec.ResourceAttributes == nil) == (r.Spec.NonResourceAttributes == nil) {
		return &fault{status.Invalid, `SelfSubjectAccessReview.authorization.k8s.io "" is invalid: spec: ` +
			"exactly one of nonResourceAttributes or resourceAttributes must be specified"}
	}
	info := question(&r.Spec)
	d := s.o.Authorizer.Authorize(user, &info)
	r.ObjectMeta = metav1.ObjectMeta{}
	r.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: d.Allowed, Reason: d.Why(user)}
	if !d.Allowed && s.o.Authorizer.Synced() != nil {
		r.Status.EvaluationError = unread
	}
	return nil
}

// question is the request that spec asks about, as request info would have it. Selectors say nothing: Postern does not
// decide by them.
func question(spec *authorizationv1.SelfSubjectAccessReviewSpec) exchange.RequestInfo {
	if n := spec.NonResourceAttributes; n != nil {
		return exchange.RequestInfo{Verb: n.Verb, Path: n.Path}
	}
	a := spec.ResourceAttributes
	info := exchange.RequestInfo{
		Verb: a.Verb, APIGroup: a.Group, APIVersion: a.Version, Namespace: a.Namespace,
		Resource: a.Resource, Subresource: a.Subresource, Name: a.Name, IsResourceRequest: true,
	}
	if a.Resource == "namespaces" && a.Name != "" {
		info.Namespace = a.Name // a namespace is inside of itself, whichever one kubectl's context names
	}
	info.Scope = exchange.ScopeOf(&info)
	if a.Group == "*" && a.Resource == "*" && a.Namespace == "" {
		info.Scope = exchange.ScopeGlobal // everything there is includes what only the platform's roles allow
	}
	return info
}

// rules lists what the user may do in the namespace that r names.
func (s *Stage) rules(user *exchange.User, r *authorizationv1.SelfSubjectRulesReview) *fault {
	if r.Spec.Namespace == "" {
		return &fault{status.BadRequest, "no namespace on request"} // kube-apiserver's words
	}
	r.ObjectMeta = metav1.ObjectMeta{}
	r.Status = authorizationv1.SubjectRulesReviewStatus{
		ResourceRules: []authorizationv1.ResourceRule{}, NonResourceRules: []authorizationv1.NonResourceRule{},
	}
	for _, rule := range s.o.Rules(user, r.Spec.Namespace) {
		if len(rule.NonResourceURLs) > 0 {
			r.Status.NonResourceRules = append(r.Status.NonResourceRules,
				authorizationv1.NonResourceRule{Verbs: rule.Verbs, NonResourceURLs: rule.NonResourceURLs})
			continue
		}
		r.Status.ResourceRules = append(r.Status.ResourceRules, authorizationv1.ResourceRule{
			Verbs: rule.Verbs, APIGroups: rule.APIGroups, Resources: rule.Resources, ResourceNames: rule.ResourceNames,
		})
	}
	if s.o.Authorizer.Synced() != nil {
		r.Status.Incomplete, r.Status.EvaluationError = true, unread
	}
	return nil
}
