// Package kinds lists the kinds of filters that there are.
package kinds

import (
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/ipfilter"
)

// All are the kinds, one a line.
var All = []filter.Kind{
	ipfilter.Kind,
}
