//go:build !race

package headers

import (
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

// TestAllocatesNothing is left out under the race detector, which has pools drop what they hold.
func TestAllocatesNothing(t *testing.T) {
	f := filtertest.New(t, Kind, `{"request":{"remove":["X-Old"],"set":{"X-Who":"{user} from {client}"}},"response":{"set":{"X-In":"{namespace}"}}}`)
	filtertest.Do(f, filtertest.Request{User: &exchange.User{Name: "alice"}}, func(x *exchange.Exchange) {
		next := func(*exchange.Exchange) {}
		f.Serve(x, next)
		if n := testing.AllocsPerRun(100, func() { f.Serve(x, next) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
