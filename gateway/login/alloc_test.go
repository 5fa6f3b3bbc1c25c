//go:build !race

package login

import "testing"

func TestKnownAllocatesNothing(t *testing.T) {
	c := New(Options{Users: people})
	if _, err := c.Password(t.Context(), Attempt{Name: "alice", Password: "P@ss:word"}); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { c.Known("alice", "P@ss:word") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
