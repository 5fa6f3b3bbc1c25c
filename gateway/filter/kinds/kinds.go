// Package kinds lists the kinds of filters that there are.
package kinds

import (
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/breaker"
	"github.com/posternhq/postern/gateway/filter/cache"
	"github.com/posternhq/postern/gateway/filter/cors"
	"github.com/posternhq/postern/gateway/filter/headers"
	"github.com/posternhq/postern/gateway/filter/httpwasm"
	"github.com/posternhq/postern/gateway/filter/ipfilter"
	"github.com/posternhq/postern/gateway/filter/ratelimit"
	"github.com/posternhq/postern/gateway/filter/requestsize"
)

// All are the kinds, one a line.
var All = []filter.Kind{
	breaker.Kind,
	cache.Kind,
	cors.Kind,
	headers.Kind,
	httpwasm.Kind,
	ipfilter.Kind,
	ratelimit.Kind,
	requestsize.Kind,
}
