package gateway

import (
	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/audit"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/core"
	"github.com/posternhq/postern/gateway/dispatch"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/impersonation"
	"github.com/posternhq/postern/gateway/kapis"
	"github.com/posternhq/postern/gateway/oauth"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/gateway/selfreview"
	"github.com/posternhq/postern/gateway/visible"
)

// parts are the stages of one configuration.
type parts struct {
	observe, requestInfo, limit, authentication, audit, dispatch, impersonation exchange.Stage
	visible, authorization, selfReview, kubeProxy, modules, oauth, core         exchange.Stage
	filters                                                                     *filter.Set
}

// assemble makes the stages of c out of what is long-lived, and what that is from then on.
func (g *Gateway) assemble(c *config.Config) (*parts, *lasting, error) {
	l := g.long
	n, err := l.next(c)
	if err != nil {
		return nil, nil, err
	}
	return &parts{
		filters:        n.filters,
		observe:        l.observe,
		requestInfo:    requestinfo.New(),
		limit:          n.limit,
		authentication: authn.New(g.authnOptions(c, n)),
		audit:          audit.New(audit.Options{}),
		dispatch:       dispatch.New(dispatch.Options{HostCluster: c.Multicluster.HostClusterName}),
		impersonation:  impersonation.New(impersonation.Options{Authorizer: n.authorizer}),
		visible:        visible.New(visibleOptions(c, n, l)),
		authorization:  authz.New(authz.Options{Authorizer: n.authorizer, Metrics: l.authz}),
		selfReview:     selfreview.New(reviewOptions(c, n.authorizer)),
		kubeProxy:      n.proxy,
		modules:        kapis.New(l.modules.Table),
		oauth:          oauth.New(g.oauthOptions(c, n)),
		core:           core.New(core.Options{Ready: g.ready, Groups: func() []string { return l.modules.Table().Routes() }}),
	}, n, nil
}

// reviewOptions has users' questions about their rights answered by what decides about their requests.
func reviewOptions(c *config.Config, z *authz.Authorizer) selfreview.Options {
	return selfreview.Options{
		Authorizer: z,
		Forward:    c.Postern.Kube.Identity == config.IdentityStrict,
		Rules: func(user *exchange.User, namespace string) []selfreview.Rule {
			all := z.Rules(user, namespace)
			rules := make([]selfreview.Rule, len(all))
			for i, r := range all {
				rules[i] = selfreview.Rule(r)
			}
			return rules
		},
	}
}
