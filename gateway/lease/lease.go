// Package lease counts who uses a thing that has an owner: when the owner has given it up and the last user has left, it ends.
// So what a reload or a swap replaces lasts as long as the requests that are in it, and no longer.
package lease

import "sync/atomic"

// Count is of one thing. Its zero value is that of a thing that has ended.
type Count struct{ n atomic.Int64 }

// Begin gives the owner its share. It is called once, before all others.
func (c *Count) Begin() { c.n.Store(1) }

// Take takes a share; false when the thing has ended. Allocates nothing.
func (c *Count) Take() bool {
	for n := c.n.Load(); n > 0; n = c.n.Load() {
		if c.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
	return false
}

// Drop gives a share back, a user's or the owner's. It is true for the last one: whoever gets that ends the thing.
func (c *Count) Drop() bool { return c.n.Add(-1) == 0 }
