//go:build !race

package session

import (
	"testing"
	"time"
)

// Every bearer request asks.
func TestEndedAllocatesNothing(t *testing.T) {
	k, sessions := ended(t, 1000)
	issued, alive, n := time.Now(), NewID(), 0
	if got := testing.AllocsPerRun(100, func() {
		if k.Ended("alice", sessions[n%len(sessions)], issued) && !k.Ended("bob", alive, issued) {
			n++
		}
	}); got != 0 || n != 101 {
		t.Errorf("%v allocations, %d of 101 right", got, n)
	}
}
