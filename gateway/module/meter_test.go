package module

import (
	"testing"
	"time"
)

// TestMeterCountsRunningOnly lets more wall time pass than the limit, asleep: nothing has been used. Then it works.
func TestMeterCountsRunningOnly(t *testing.T) {
	var m meter
	m.begin(20 * time.Millisecond)
	time.Sleep(60 * time.Millisecond)
	if m.over() {
		t.Error("sleeping counts as running")
	}
	for n := 0; !m.over(); n++ { // ends only because the work is counted
		burnt += burn(n)
	}
	if used := m.end(); used < 20*time.Millisecond {
		t.Errorf("over after %s of CPU, the limit is 20ms", used)
	}
}

// burnt keeps the compiler from leaving the work out.
var burnt int

func burn(n int) int {
	for i := range 10_000 {
		n += i * n
	}
	return n
}
