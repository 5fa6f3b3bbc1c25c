//go:build !race

package authz_test

import (
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
)

func TestAuthorizeAllocatesNothing(t *testing.T) {
	z, u := crowded(5000)
	for name, info := range questions() {
		var d exchange.Decision
		if n := testing.AllocsPerRun(100, func() { d = z.Authorize(u, &info) }); n != 0 {
			t.Errorf("%s: %v allocations (%+v)", name, n, d)
		}
	}
}
