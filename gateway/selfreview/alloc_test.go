//go:build !race

package selfreview_test

import (
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/selfreview"
)

func TestOtherRequestsCostNoAllocation(t *testing.T) {
	s := selfreview.New(selfreview.Options{})
	x := &exchange.Exchange{Info: exchange.RequestInfo{
		Verb: "create", APIPrefix: "apis", APIGroup: "authorization.k8s.io", APIVersion: "v1", Resource: "subjectaccessreviews", IsResourceRequest: true,
	}}
	passed := 0
	next := func(*exchange.Exchange) { passed++ }
	if n := testing.AllocsPerRun(100, func() { s.Serve(x, next) }); n != 0 || passed != 101 {
		t.Errorf("%v allocations, %d passed on", n, passed)
	}
}
