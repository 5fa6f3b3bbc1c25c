package gateway

import (
	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/audit"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/core"
	"github.com/posternhq/postern/gateway/dispatch"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/impersonation"
	"github.com/posternhq/postern/gateway/kapis"
	"github.com/posternhq/postern/gateway/limit"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/gateway/selfreview"
)

// parts are the stages of one configuration.
type parts struct {
	observe, requestInfo, limit, authentication, audit, dispatch, impersonation exchange.Stage
	authorization, selfReview, kubeProxy, modules, core                         exchange.Stage
}

// assemble makes the stages of c out of what is long-lived.
func (g *Gateway) assemble(c *config.Config) (*parts, error) {
	l := g.long
	proxy, err := l.kubeProxy(c.Postern.Kube)
	if err != nil {
		return nil, err
	}
	authorizer := authz.NewAuthorizer(c.Authorization.Mode, l.platform)
	if err := g.setServices(c, authorizer); err != nil {
		return nil, err
	}
	return &parts{
		observe:        l.observe,
		requestInfo:    requestinfo.New(),
		limit:          g.limiter(c.Postern.Limits),
		authentication: authn.New(g.authnOptions(c)),
		audit:          audit.New(audit.Options{}),
		dispatch:       dispatch.New(dispatch.Options{HostCluster: c.Multicluster.HostClusterName}),
		impersonation:  impersonation.New(impersonation.Options{Authorizer: authorizer}),
		authorization:  authz.New(authz.Options{Authorizer: authorizer, Metrics: l.authz}),
		selfReview:     selfreview.New(reviewOptions(c, authorizer)),
		kubeProxy:      proxy,
		modules:        kapis.New(l.modules.Table),
		core:           core.New(core.Options{Ready: g.ready, Groups: func() []string { return l.modules.Table().Routes() }}),
	}, nil
}

func (g *Gateway) authnOptions(c *config.Config) authn.Options {
	a := c.Authentication
	secret := []byte(a.JWTSecret)
	if len(secret) == 0 {
		secret = g.secret
	}
	return authn.Options{
		Users: g.long.platform, AllowAnonymous: c.Postern.Anonymous.Allow, Open: authz.Open,
		Secret: secret, Issuer: a.OAuthOptions.Issuer, ClockSkew: a.MaximumClockSkew, MaxAge: a.OAuthOptions.AccessTokenMaxAge,
		ReservedGroups: []string{c.Postern.Kube.DecidedGroup}, Metrics: g.long.authn,
	}
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

// limiter is the stage that counts what is in flight. It is made anew only when the limits change: what is under way is
// counted by the one it came through.
func (g *Gateway) limiter(l config.Limits) *limit.Stage {
	want := limit.Options{InFlight: l.MaxRequestsInFlight, LongRunning: l.MaxLongRunning}
	if g.long.limit.Load() == nil || g.long.limits != want {
		g.long.limit.Store(limit.New(want))
		g.long.limits = want
	}
	return g.long.limit.Load()
}
