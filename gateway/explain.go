package gateway

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/exchange"
)

// ExplainRequest is a request that is explained and never sent.
type ExplainRequest struct {
	Method string // in any case
	Path   string // request target: begins with /, percent-encoded, may have a query
	User   string // who asks; empty: nobody in particular
}

// ExplainStages asks stages in order what they would do with r, up to the first that would refuse or answer it. user is
// who asks, taken as authenticated; nil leaves that to the stages. Nothing is sent anywhere.
func ExplainStages(stages []exchange.Stage, r ExplainRequest, user *exchange.User) ([]exchange.Finding, exchange.RequestInfo) {
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod(strings.ToUpper(r.Method))
	ctx.Request.SetRequestURI(r.Path)
	var findings []exchange.Finding
	var info exchange.RequestInfo
	exchange.Run(&ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.User = user
		for _, s := range stages {
			f := s.Explain(x)
			findings = append(findings, f)
			if f.Verdict != exchange.Pass {
				break
			}
		}
		info = x.Info.Clone()
	})
	return findings, info
}

// explainTimeout bounds the reading of users and roles, and of modules.
const explainTimeout = 15 * time.Second

// Explain says what a gateway of configuration c would do with r. The user's groups, roles and bindings are read from
// the cluster; without a user the cluster is not asked.
func Explain(ctx context.Context, c *config.Config, r ExplainRequest) ([]exchange.Finding, exchange.RequestInfo, error) {
	if r.User == "" {
		// A kubeconfig that cannot be read must not keep anybody from an explanation that needs no cluster.
		without := *c
		without.Kubernetes.Kubeconfig, without.Kubernetes.Master = "", ""
		c = &without
	}
	g, err := New(ctx, Options{Config: c, Out: io.Discard})
	if err != nil {
		return nil, exchange.RequestInfo{}, err
	}
	work, stop := context.WithTimeout(ctx, explainTimeout)
	done := make(chan error, 1)
	go func() { done <- g.long.run(work, r.User != "") }()
	findings, info, err := g.explain(work, r)
	stop()
	<-done
	if closed := g.close(); err == nil {
		err = closed
	}
	return findings, info, err
}

// explain reads what r needs, then asks the chain.
func (g *Gateway) explain(ctx context.Context, r ExplainRequest) ([]exchange.Finding, exchange.RequestInfo, error) {
	select {
	case <-g.long.modules.Ready():
	case <-ctx.Done():
	}
	stages := g.current.Load().stages
	var user *exchange.User
	if r.User != "" {
		if err := g.long.platform.WaitSynced(ctx); err != nil {
			return nil, exchange.RequestInfo{}, fmt.Errorf("cannot read users and roles: %w", err)
		}
		for _, s := range stages {
			if a, ok := s.(*authn.Stage); ok {
				u, err := a.Lookup(r.User)
				if err != nil {
					return nil, exchange.RequestInfo{}, fmt.Errorf("cannot explain as %q: %w", r.User, err)
				}
				user = u
			}
		}
	}
	findings, info := ExplainStages(stages, r, user)
	return findings, info, nil
}
