package lease

import (
	"sync"
	"sync/atomic"
	"testing"
)

// TestEndsOnce has many take and drop shares while the owner gives up: the end comes once, and nobody has a share then.
func TestEndsOnce(t *testing.T) {
	for range 200 {
		var c Count
		var users, ends atomic.Int64
		c.Begin()
		drop := func() {
			if c.Drop() {
				if ends.Add(1) > 1 || users.Load() != 0 {
					t.Errorf("ended %d times, with %d users", ends.Load(), users.Load())
				}
			}
		}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 50 {
					if c.Take() {
						users.Add(1)
						users.Add(-1)
						drop()
					}
				}
			})
		}
		all.Go(drop)
		all.Wait()
		if ends.Load() != 1 || c.Take() {
			t.Fatalf("ended %d times", ends.Load())
		}
	}
	if new(Count).Take() {
		t.Error("what never began can be taken")
	}
}
