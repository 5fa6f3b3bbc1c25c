package authz

import (
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
)

// Place is where rules hold: the platform (scope Global), the cluster, a workspace, a namespace, or a DevOps project, whose
// name is in Namespace. The workspace of a namespace is its label's, whatever Workspace says.
type Place struct {
	Scope                exchange.Scope
	Workspace, Namespace string
}

// In is the place of what info asks.
func In(info *exchange.RequestInfo) Place {
	p := Place{Scope: info.Scope, Workspace: info.Workspace, Namespace: info.Namespace}
	if p.Scope == exchange.ScopeDevOps {
		p.Namespace = info.DevOps
	}
	return p
}

// maxPieces bounds the pieces that one rule is taken apart into; a rule of more, which no single rule covers, is missing.
const maxPieces = 10_000

// Covers is the escalation check: what user lacks of rules in a place; nil if the user may do all of it there, and so may
// give it to others. What is missing is in the smallest pieces: one verb, one group, one resource, one name or path each.
// As in Kubernetes, a piece is covered by one rule that allows as much or more, so that * needs a *.
func (z *Authorizer) Covers(user *exchange.User, at Place, rules []Rule) (missing []Rule) {
	own := z.rulesIn(user, at)
	for _, r := range rules {
		if slices.ContainsFunc(own, func(o Rule) bool { return o.covers(&r) }) {
			continue
		}
		if r.pieces() > maxPieces {
			missing = append(missing, r)
			continue
		}
		r.each(func(piece Rule) {
			if !slices.ContainsFunc(own, func(o Rule) bool { return o.covers(&piece) }) {
				missing = append(missing, piece)
			}
		})
	}
	return missing
}

// pieces is into how many each takes r apart.
func (r *Rule) pieces() int {
	n := len(r.Verbs) * len(r.APIGroups) * len(r.Resources) * max(1, len(r.ResourceNames))
	return n + len(r.Verbs)*len(r.NonResourceURLs)
}

// each calls f for each of r's pieces.
func (r *Rule) each(f func(Rule)) {
	names := [][]string{nil}
	if len(r.ResourceNames) > 0 {
		names = names[:0]
		for _, name := range r.ResourceNames {
			names = append(names, []string{name})
		}
	}
	for _, verb := range r.Verbs {
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				for _, name := range names {
					f(Rule{Verbs: []string{verb}, APIGroups: []string{group}, Resources: []string{resource}, ResourceNames: name})
				}
			}
		}
		for _, path := range r.NonResourceURLs {
			f(Rule{Verbs: []string{verb}, NonResourceURLs: []string{path}})
		}
	}
}

// covers says whether r alone allows all that sub does. A rule that says something of both resources and paths is two.
func (r *Rule) covers(sub *Rule) bool {
	if !hasAll(r.Verbs, sub.Verbs, nil) {
		return false
	}
	if len(sub.NonResourceURLs) > 0 && !hasAll(r.NonResourceURLs, sub.NonResourceURLs, coversPath) {
		return false
	}
	if len(sub.APIGroups) == 0 && len(sub.Resources) == 0 {
		return true
	}
	return hasAll(r.APIGroups, sub.APIGroups, nil) && hasAll(r.Resources, sub.Resources, coversResource) && coversNames(r.ResourceNames, sub.ResourceNames)
}

// hasAll says whether each of sub is in own, or covered by one of own; * covers everything.
func hasAll(own, sub []string, covers func(own, sub string) bool) bool {
	if slices.Contains(own, "*") {
		return true
	}
	for _, s := range sub {
		if !slices.ContainsFunc(own, func(o string) bool { return o == s || covers != nil && covers(o, s) }) {
			return false
		}
	}
	return true
}

// coversResource: */log covers pods/log.
func coversResource(own, sub string) bool {
	of, ok := strings.CutPrefix(own, "*/")
	_, name, isSub := strings.Cut(sub, "/")
	return ok && isSub && name == of
}

// coversPath: /api/* covers /api/v1 and /api/v1*.
func coversPath(own, sub string) bool {
	return strings.HasSuffix(own, "*") && strings.HasPrefix(sub, strings.TrimRight(own, "*"))
}

// coversNames: no names are all names.
func coversNames(own, sub []string) bool {
	return len(own) == 0 || len(sub) > 0 && hasAllNames(own, sub)
}

// hasAllNames is hasAll without a word for everything: an object may be called *, as far as RBAC goes.
func hasAllNames(own, sub []string) bool {
	for _, s := range sub {
		if !slices.Contains(own, s) {
			return false
		}
	}
	return true
}
