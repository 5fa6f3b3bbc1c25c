package gateway

import (
	"context"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/requestinfo"
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

// Explain says what the chain of configuration c would do with r.
func Explain(_ context.Context, _ *config.Config, r ExplainRequest) ([]exchange.Finding, exchange.RequestInfo, error) {
	var user *exchange.User
	if r.User != "" {
		user = &exchange.User{Name: r.User}
	}
	findings, info := ExplainStages([]exchange.Stage{requestinfo.New()}, r, user)
	return findings, info, nil
}
