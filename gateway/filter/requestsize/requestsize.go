// Package requestsize bounds the bodies of requests.
package requestsize

import (
	"encoding/json"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/status"
)

// Kind is requestSize. By default it stands before authentication: what is too large need not be looked at.
var Kind = filter.Kind{
	Name: "requestSize", Positions: []filter.Position{filter.BeforeAuthentication, filter.BeforeDispatch, filter.BeforeAnswer},
	Settings: new(settings), New: open,
}

type settings struct {
	Max filter.Size `json:"max" jsonschema:"oneof_type=string;integer,description=bytes of a request's body\\, as 1MiB"`
}

// Filter is one bound.
type Filter struct {
	most    int64
	message string
	refused prometheus.Counter
}

var (
	_ filter.Filter    = (*Filter)(nil)
	_ filter.Explainer = (*Filter)(nil)
)

func open(raw json.RawMessage, env filter.Env) (filter.Filter, error) {
	var s settings
	if err := filter.Decode(raw, &s); err != nil {
		return nil, err
	}
	if s.Max <= 0 {
		return nil, filter.Wrong("max", "must be greater than 0")
	}
	return &Filter{int64(s.Max), fmt.Sprintf("the request's body may have at most %d bytes", s.Max), env.Event("refused")}, nil
}

// Serve refuses with 413 what is announced to be too large. What is not announced is counted by whoever reads it, and
// answered 413 as well: see exchange.Exchange, MaxBody and MaxRead.
func (f *Filter) Serve(x *exchange.Exchange, next exchange.Handler) {
	if int64(x.HTTP.Request.Header.ContentLength()) > f.most {
		f.refused.Inc()
		status.Write(x, status.RequestEntityTooLarge, f.message)
		return
	}
	narrow(&x.MaxBody, f.most)
	narrow(&x.MaxRead, f.most)
	next(x)
}

// narrow makes a bound, of which 0 is none, at most most.
func narrow(bound *int64, most int64) {
	if *bound == 0 || *bound > most {
		*bound = most
	}
}

// Explain names the bound.
func (f *Filter) Explain(*exchange.Exchange) exchange.Finding {
	return exchange.Finding{Reason: f.message}
}

// Close has nothing to free.
func (*Filter) Close() error { return nil }
