package gateway

import (
	"slices"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/visible"
)

// visibleOptions has parts of lists shown by what decides about requests, through the filters that all answers pass. Where
// everything is denied, nothing is shown.
func visibleOptions(c *config.Config, n *lasting, l *longLived) visible.Options {
	mode := visible.Mode(c.Postern.VisibleLists)
	if c.Authorization.Mode == authz.AlwaysDeny {
		mode = visible.Off
	}
	before := n.filters.At(filter.BeforeAnswer)
	return visible.Options{
		Authorizer: n.authorizer,
		Names: func(user *exchange.User, info *exchange.RequestInfo) []string {
			return namedBy(n.authorizer.Rules(user, ""), info)
		},
		Workspace: func(namespace string) string { return l.platform.Index().Workspace(namespace) },
		Upstream:  func(x *exchange.Exchange) { n.proxy.Serve(x, func(*exchange.Exchange) {}) },
		Strict:    c.Postern.Kube.Identity == config.IdentityStrict,
		Mode:      mode,
		Shared:    l.visible,
		Around: func(x *exchange.Exchange, answer exchange.Handler) {
			for _, stage := range slices.Backward(before) {
				next := answer
				answer = func(x *exchange.Exchange) { stage.Serve(x, next) }
			}
			answer(x)
		},
	}
}

// namedBy are the objects that rules name which could allow what info asks, or to get it.
func namedBy(rules []authz.Rule, info *exchange.RequestInfo) (names []string) {
	has := func(list []string, want ...string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return s == "*" || slices.Contains(want, s) })
	}
	for _, r := range rules {
		if has(r.Verbs, info.Verb, "get") && has(r.APIGroups, info.APIGroup) && has(r.Resources, info.Resource) {
			names = append(names, r.ResourceNames...)
		}
	}
	return names
}
