//go:build !race

package visible

import (
	"bytes"
	"io"
	"testing"

	"github.com/posternhq/postern/gateway/exchange"
)

// TestPassingAllocatesNothing: neither what is no list of all, nor who may list all, pays.
func TestPassingAllocatesNothing(t *testing.T) {
	s, x := passing()
	next := exchange.Handler(func(*exchange.Exchange) {})
	for _, namespace := range []string{"a", ""} {
		x.Info.Namespace = namespace
		passed := 0
		next = func(*exchange.Exchange) { passed++ }
		if n := testing.AllocsPerRun(100, func() { s.Serve(x, next) }); n != 0 || passed != 101 {
			t.Errorf("namespace %q: %v allocations, passed on %d times", namespace, n, passed)
		}
	}
}

// TestEventsAllocateNothing: a watch in which much happens that is not shown costs no memory.
func TestEventsAllocateNothing(t *testing.T) {
	v := viewOfTwo()
	measure := func(n int) float64 {
		text := bytes.Repeat([]byte(pod("other")), n)
		return testing.AllocsPerRun(10, func() {
			if err := v.events(bytes.NewReader(text), io.Discard); err != io.EOF {
				t.Fatal(err)
			}
		})
	}
	if few, many := measure(10), measure(1000); many > few {
		t.Errorf("%v allocations for 10 events, %v for 1,000", few, many)
	}
}
