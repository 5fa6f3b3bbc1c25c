package upstream

import "sync/atomic"

// counters are a pool's, kept without a lock.
type counters struct {
	dials, reused, waits, retries, requests, tunnels, broken atomic.Uint64
	bytesIn, bytesOut                                        atomic.Uint64
	errors                                                   [kinds]atomic.Uint64
}

// Stats is what a pool has done and holds, for metrics. All but Open, Idle and Waiting only grow.
type Stats struct {
	Open, Idle, Waiting int               // connections, idle ones among them, and requests in the queue
	Dials, Reused       uint64            // connections opened; requests sent on one that was open already
	Waits, Retries      uint64            // requests that had to queue; that were sent again on a fresh connection
	Requests, Tunnels   uint64            // responses relayed; upgraded connections among them
	Broken              uint64            // responses that broke off after their head
	BytesIn, BytesOut   uint64            // from and to the target, without TLS
	Errors              map[string]uint64 // failures by Kind
}

// Stats reads the pool's counters.
func (p *Pool) Stats() Stats {
	s := Stats{
		Dials: p.dials.Load(), Reused: p.reused.Load(), Waits: p.waits.Load(), Retries: p.retries.Load(),
		Requests: p.requests.Load(), Tunnels: p.tunnels.Load(), Broken: p.broken.Load(),
		BytesIn: p.bytesIn.Load(), BytesOut: p.bytesOut.Load(), Errors: make(map[string]uint64, kinds),
	}
	for k := range kinds {
		s.Errors[k.String()] = p.errors[k].Load()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Open, s.Idle, s.Waiting = p.open, len(p.idle), len(p.waiting)
	return s
}
