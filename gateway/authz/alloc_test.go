//go:build !race

package authz_test

import (
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
)

func TestAuthorizeAllocatesNothing(t *testing.T) {
	for _, bindings := range []int{10, 5000, 100_000} {
		z, u := crowded(bindings)
		for name, info := range questions() {
			var d exchange.Decision
			if n := testing.AllocsPerRun(100, func() { d = z.Authorize(u, &info) }); n != 0 {
				t.Errorf("%d bindings: %s: %v allocations (%+v)", bindings, name, n, d)
			}
		}
	}
}
