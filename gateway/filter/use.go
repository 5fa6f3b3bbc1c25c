package filter

import (
	"fmt"
	"runtime/debug"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// use is a filter as a link of the chain: what it sees, and what is counted of it.
type use struct {
	spec          Spec
	stage         string
	match, except matcher
	inst          *instance
	outcomes      *outcomes
}

var _ exchange.Stage = (*use)(nil)

// Name is filter/ and the filter's name.
func (u *use) Name() string { return u.stage }

// Serve is Link for a chain that does not know it.
func (u *use) Serve(x *exchange.Exchange, next exchange.Handler) { u.Link(next)(x) }

// Link makes the handler once for all requests, so that a request allocates nothing for it.
func (u *use) Link(next exchange.Handler) exchange.Handler {
	inner := func(x *exchange.Exchange) {
		x.Passes++
		x.Inside++
		next(x)
		x.Inside--
	}
	return func(x *exchange.Exchange) {
		if u.match.miss(x) != "" || !u.except.empty && u.except.miss(x) == "" {
			next(x)
			return
		}
		u.filter(x, inner)
	}
}

// filter has the filter see x. A panic of the filter's own is answered by 500; one of what is behind it is not its
// business.
func (u *use) filter(x *exchange.Exchange, inner exchange.Handler) {
	passes, inside, clean := x.Passes, x.Inside, false
	defer func() {
		if !clean && x.Inside == inside {
			u.panicked(x, recover())
		}
	}()
	u.inst.filter.Serve(x, inner)
	clean = true
	if x.Passes > passes {
		u.outcomes.passed.Inc()
		return
	}
	u.outcomes.answered.Inc()
	if x.Handled == "" {
		x.Handled = u.stage
	}
}

func (u *use) panicked(x *exchange.Exchange, r any) {
	u.outcomes.panicked.Inc()
	u.inst.env.Log.Error().Str("requestId", x.ID).Any("panic", r).Bytes("stack", debug.Stack()).Msg("a filter panicked")
	if x.HTTP.Hijacked() {
		return // the tunnel stands
	}
	x.Handled = u.stage
	x.HTTP.Response.Reset()
	status.Write(x, status.InternalError, fmt.Sprintf("filter %q failed", u.spec.Name))
}

// Explain says whether the filter sees x, and its own word if it does.
func (u *use) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Verdict: exchange.Pass}
	if list := u.match.miss(x); list != "" {
		f.Reason = "does not see it: match." + list
	} else if !u.except.empty && u.except.miss(x) == "" {
		f.Reason = "does not see it: except"
	} else {
		if e, ok := u.inst.filter.(Explainer); ok {
			f = e.Explain(x)
		}
		f.Reason = u.spec.Kind + ": " + f.Reason
		if f.Verdict == "" {
			f.Verdict = exchange.Pass
		}
	}
	f.Stage = u.stage
	return f
}
