package module

import "time"

// Description is what a generation tells of itself, for people and the admin API.
type Description struct {
	Name              string           `json:"name"`
	Version           string           `json:"version"`
	Digest            string           `json:"digest"` // sha256 of the file, hex
	Serves            []string         `json:"serves"`
	Asynchronous      bool             `json:"asynchronous"`
	State             State            `json:"state"`
	Code              string           `json:"code"`               // how its machine code came to be: cached, compiled, in process
	RewriteSeconds    float64          `json:"rewriteSeconds"`     // to make it interruptible
	CompileSeconds    float64          `json:"compileSeconds"`     // less when the cache has it
	InstanceSeconds   float64          `json:"instantiateSeconds"` // of the first instance, with its check
	LoadSeconds       float64          `json:"loadSeconds"`        // all of it, the first instance and its check included
	RequestsInFlight  int              `json:"requestsInFlight"`
	RequestsQueued    int64            `json:"requestsQueued"`
	HostCallsInFlight int64            `json:"hostCallsInFlight"`
	Breaker           BreakerState     `json:"breaker"`
	Limits            []LimitState     `json:"limits"`
	Counters          Counters         `json:"counters"`
	Latency           Quantiles        `json:"latency"`
	TrapsByKind       map[string]int64 `json:"trapsByKind"`
	HostCallsBy       map[string]int64 `json:"hostCallsByService"`
}

// BreakerState is how a generation's breaker stands.
type BreakerState struct {
	State             string  `json:"state"`                       // closed, open, half-open
	RetryAfterSeconds float64 `json:"retryAfterSeconds,omitempty"` // until the next probe
	LastFailure       string  `json:"lastFailure,omitempty"`
}

// LimitState is one limit, what is used of it, and how often it was run into.
type LimitState struct {
	Name    string   `json:"name"`
	Unit    string   `json:"unit"` // bytes, seconds, or empty for a count
	Limit   float64  `json:"limit"`
	Used    *float64 `json:"used,omitempty"` // now, of memory: the most that an instance has had; nil for limits of one request
	Reached int64    `json:"reached"`
}

// Quantiles of the time from a request's arrival until its answer is there, seconds.
type Quantiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
}

// Quantiles are those that people ask for.
func (l *Latency) Quantiles() Quantiles {
	return Quantiles{P50: l.Quantile(0.5), P90: l.Quantile(0.9), P99: l.Quantile(0.99)}
}

// Describe is how the generation does now.
func (g *Generation) Describe() Description {
	c, m := g.Stats.Load(), g.Manifest()
	return Description{
		Name: m.Name, Version: m.Version, Digest: g.Digest(), Serves: m.Routes(), Asynchronous: g.image.async,
		State: g.State(), Code: g.image.costs.Code, RewriteSeconds: g.image.costs.Rewrite.Seconds(),
		CompileSeconds: g.image.costs.Compile.Seconds(), InstanceSeconds: g.image.costs.Instantiate.Seconds(), LoadSeconds: g.loading.Seconds(),
		RequestsInFlight: g.InFlight(), RequestsQueued: g.queued.Load(), HostCallsInFlight: g.HostCallsInFlight(),
		Breaker: g.BreakerState(), Limits: g.limitStates(&c), Counters: c, Latency: c.Latency.Quantiles(),
		TrapsByKind: c.TrapsByKind(), HostCallsBy: c.HostCallsByService(),
	}
}

// BreakerState is how the generation's breaker stands.
func (g *Generation) BreakerState() BreakerState {
	s := BreakerState{State: breakerNames[g.breaker.state.Load()]}
	wait, why := g.breaker.left(time.Now())
	if s.LastFailure = why; s.State != breakerNames[breakerClosed] {
		s.RetryAfterSeconds = wait.Seconds()
	}
	return s
}

// Limits are those that the generation has: the configuration's, with what its manifest may change of them.
func (g *Generation) Limits() Limits { return g.limits }

func (g *Generation) limitStates(c *Counters) []LimitState {
	memory, inFlight := float64(c.MemoryPeakBytes), float64(g.InFlight())
	queued, calls := float64(g.queued.Load()), float64(g.HostCallsInFlight())
	used := [limitCount]*float64{LimitMemory: &memory, LimitRequestsInFlight: &inFlight, LimitQueue: &queued, LimitHostCalls: &calls}
	all := make([]LimitState, limitCount)
	for n, l := range limitTable {
		value := float64(l.get(&g.limits))
		if l.unit == seconds {
			value /= 1e9
		}
		all[n] = LimitState{l.name, l.unit, value, used[n], c.reached[n]}
	}
	return all
}
