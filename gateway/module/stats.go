package module

import "sync/atomic"

// Stats count what a generation did and holds. They are read while they change.
type Stats struct {
	Requests  atomic.Int64 // in all
	Failures  atomic.Int64 // requests that ended with an error of the module: trap, deadline, no room
	Traps     atomic.Int64 // instances thrown away
	Instances atomic.Int64 // alive now
	Born      atomic.Int64 // instances made, in all
	Recycled  atomic.Int64 // instances replaced for their memory
	Peak      atomic.Int64 // the largest memory that one instance has had, bytes
	// Memory is the linear memory of all instances in bytes. What a copy shares with the first instance counts once, as the
	// snapshot; pages of it that a copy has written to since count as shared still.
	Memory    atomic.Int64
	HostCalls atomic.Int64 // in all
	GuestTime atomic.Int64 // nanoseconds of CPU inside the guest
	Fuel      atomic.Int64 // steps: back-edges of loops, in units of the metering interval
	Logged    atomic.Int64 // lines of the guest
	Dropped   atomic.Int64 // lines over the rate
	Sleeps    atomic.Int64 // times it was unloaded for want of requests
	Wakes     atomic.Int64 // times it was loaded again
	WakeTime  atomic.Int64 // nanoseconds, in all
	Opened    atomic.Int64 // times that the breaker opened
	Shed      atomic.Int64 // requests that the open breaker refused

	Read     atomic.Int64 // bytes of requests' bodies that the guest read
	Written  atomic.Int64 // bytes of answers' bodies; forwarded ones are not counted
	Sent     atomic.Int64 // bytes of host calls' records and bodies
	Received atomic.Int64 // bytes that backends answered

	Latency histogram
	kinds   [trapKinds]atomic.Int64  // of Traps
	calls   [callKinds]atomic.Int64  // of HostCalls
	reached [limitCount]atomic.Int64 // how often a limit was run into
}

// Reached is how often the limit was run into.
func (s *Stats) Reached(n Limit) int64 { return s.reached[n].Load() }

// raise makes most at least n.
func raise(most *atomic.Int64, n int64) {
	for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
	}
}

// The kinds of host calls: by the service that they reach.
const (
	callCore = iota // sleep, request_body
	callKube
	callPrometheus
	callHTTP
	callForward
	callQuery
	callAccess
	callAccounts
	callKinds
)

var callNames = [callKinds]string{"core", "kube", "prometheus", "http", "forward", "query", "access", "accounts"}
