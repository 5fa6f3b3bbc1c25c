package gateway

import "github.com/posternhq/postern/gateway/exchange"

// chain is the order in which stages see a request. This is the only place that decides it; RATIONALE.md says why it is
// this one.
func (p *parts) chain() []exchange.Stage {
	return []exchange.Stage{
		p.observe,        // counts and logs what all others do
		p.requestInfo,    // what is asked for
		p.limit,          // how much at once
		p.authentication, // who asks
		p.audit,          // that it happened, refusals included
		p.dispatch,       // in which cluster
		p.impersonation,  // as whom
		p.authorization,  // may they
		p.selfReview,     // what they may do: we answer, not kube-apiserver
		p.kubeProxy,      // /api, /apis: kube-apiserver answers
		p.modules,        // /kapis: a module answers
		p.core,           // our own endpoints, and 404
	}
}

// link makes one handler of stages. The last one answers whatever reaches it.
func link(stages []exchange.Stage) exchange.Handler {
	handler := exchange.Handler(func(*exchange.Exchange) {})
	for i := len(stages) - 1; i >= 0; i-- {
		stage, next := stages[i], handler
		handler = func(x *exchange.Exchange) { stage.Serve(x, next) }
	}
	return handler
}
