package gateway

import (
	"slices"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
)

// chain is the order in which stages see a request. This is the only place that decides it; RATIONALE.md says why it is
// this one. Filters are the operator's, in the operator's order; where none is configured there is no link.
func (p *parts) chain() []exchange.Stage {
	return slices.Concat([]exchange.Stage{
		p.observe,     // counts and logs what all others do
		p.requestInfo, // what is asked for
		p.limit,       // how much at once
	}, p.filters.At(filter.BeforeAuthentication), []exchange.Stage{
		p.authentication, // who asks
		p.audit,          // that it happened, refusals included
	}, p.filters.At(filter.BeforeDispatch), []exchange.Stage{
		p.dispatch,      // in which cluster
		p.impersonation, // as whom
		p.visible,       // what of a list they may see, where they may not see it all
		p.authorization, // may they
	}, p.filters.At(filter.BeforeAnswer), []exchange.Stage{
		p.selfReview, // what they may do: we answer, not kube-apiserver
		p.kubeProxy,  // /api, /apis: kube-apiserver answers
		p.modules,    // /kapis: a module answers
		p.oauth,      // /oauth: logins, and who is logged in
		p.core,       // our own endpoints, and 404
	})
}

// linker is a stage that makes its handler once, when the chain is linked.
type linker interface {
	Link(next exchange.Handler) exchange.Handler
}

// link makes one handler of stages. The last one answers whatever reaches it.
func link(stages []exchange.Stage) exchange.Handler {
	handler := exchange.Handler(func(*exchange.Exchange) {})
	for i := len(stages) - 1; i >= 0; i-- {
		stage, next := stages[i], handler
		if l, ok := stage.(linker); ok {
			handler = l.Link(next)
			continue
		}
		handler = func(x *exchange.Exchange) { stage.Serve(x, next) }
	}
	return handler
}
