package module

import "sync/atomic"

// Stats count what a generation did and holds. They are read while they change.
type Stats struct {
	Requests  atomic.Int64 // in all
	Failures  atomic.Int64 // requests that ended with an error of the module: trap, deadline, no room
	Traps     atomic.Int64 // instances thrown away
	Instances atomic.Int64 // alive now
	// Memory is the linear memory of all instances in bytes. What a copy shares with the first instance counts once, as the
	// snapshot; pages of it that a copy has written to since count as shared still.
	Memory    atomic.Int64
	HostCalls atomic.Int64 // in all
	GuestTime atomic.Int64 // nanoseconds inside the guest
	Fuel      atomic.Int64 // steps: back-edges of loops, in units of the metering interval
	Logged    atomic.Int64 // lines of the guest
	Dropped   atomic.Int64 // lines over the rate
}
