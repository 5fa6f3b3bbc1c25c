package manager

import (
	"fmt"
	"time"

	"github.com/posternhq/postern/config"
)

// Rollout is how a new version takes over from the one that serves: it gets a share of the requests, both are watched, and
// a rule decides. At least one of Weight and Header says which requests it gets.
type Rollout struct {
	// Weight is the percentage of requests that the new version gets, 0 to 100.
	Weight int
	// Sticky has the same user's requests go to the same version: Weight is the percentage of users then.
	Sticky bool
	// Header names a request header; requests whose value is HeaderValue go to the new version, whatever Weight is. Empty: none.
	Header, HeaderValue string
	// MinRequests is how many requests the new version must have answered before it is promoted, or judged by its latency.
	MinRequests int
	// PromoteAfter is how long it must have been tried before it is promoted.
	PromoteAfter time.Duration
	// Manual has it never promoted by the rule; it is still taken back by it.
	Manual bool
	// MaxErrorRate is by how much the share of its answers that are 5xx may be above the other's: 0.01 is one in a hundred.
	MaxErrorRate float64
	// MaxLatencyRatio bounds its latency at p90 and p99, as multiples of the other's; 1 ms more is always let pass. Each is judged
	// when both versions have answered enough for it, 50 and 500 requests. 0: not judged.
	MaxLatencyRatio float64
}

// RolloutOf is the rollout that an operator has written down.
func RolloutOf(r config.Rollout) *Rollout {
	return &Rollout{
		Weight: r.Weight, Sticky: r.Sticky, Header: r.Header.Name, HeaderValue: r.Header.Value, MinRequests: r.MinRequests,
		PromoteAfter: r.PromoteAfter, Manual: r.Manual, MaxErrorRate: r.MaxErrorRate, MaxLatencyRatio: r.MaxLatencyRatio,
	}
}

// validate says what is wrong with a rollout.
func (r *Rollout) validate() error {
	switch {
	case r.Weight < 0 || r.Weight > 100:
		return fmt.Errorf("rollout: a weight of %d: want 0 to 100", r.Weight)
	case r.Weight == 0 && r.Header == "":
		return fmt.Errorf("rollout: neither weight nor header: no request would reach the new version")
	case r.MinRequests < 1:
		return fmt.Errorf("rollout: minRequests of %d: want at least 1", r.MinRequests)
	case r.MaxErrorRate < 0 || r.MaxErrorRate > 1:
		return fmt.Errorf("rollout: maxErrorRate of %g: want 0 to 1", r.MaxErrorRate)
	case r.MaxLatencyRatio < 0 || r.PromoteAfter < 0:
		return fmt.Errorf("rollout: neither maxLatencyRatio nor promoteAfter can be negative")
	}
	return nil
}

// Verdicts on a trial.
type verdict int

const (
	wait verdict = iota
	promote
	takeBack
)

// slack is by how much a new version may be slower, whatever the ratio: noise of a machine that is busy.
const slack = time.Millisecond

// beyond is how many answers must lie above a quantile for it to say something: the slowest of a few is chance.
const beyond = 5

// judge is the rule: what becomes of a new version that has been tried for a while, and why. Errors are judged as soon as
// there are more than MinRequests would forgive, so that a broken version costs no more requests than it must.
func (r *Rollout) judge(main, next sample, tried time.Duration) (verdict, string) {
	allowed := min(1, main.errorRate()+r.MaxErrorRate)
	if n := max(next.requests, int64(r.MinRequests)); float64(next.errors) > allowed*float64(n) {
		return takeBack, fmt.Sprintf("%d of %d requests failed, %.2f %% are allowed", next.errors, next.requests, 100*allowed)
	}
	if next.requests < int64(r.MinRequests) {
		return wait, ""
	}
	if r.MaxLatencyRatio > 0 && main.requests >= int64(r.MinRequests) {
		for _, q := range []float64{0.9, 0.99} {
			if float64(min(main.requests, next.requests))*(1-q) < beyond-1e-9 {
				continue
			}
			is, was := next.latency.quantile(q), main.latency.quantile(q)
			if is > time.Duration(r.MaxLatencyRatio*float64(was))+slack {
				return takeBack, fmt.Sprintf("p%.0f is %s, %s before: more than %g times it", 100*q, is.Round(10*time.Microsecond), was.Round(10*time.Microsecond), r.MaxLatencyRatio)
			}
		}
	}
	if r.Manual || tried < r.PromoteAfter {
		return wait, ""
	}
	return promote, fmt.Sprintf("%d requests in %s, %d failed", next.requests, tried.Round(time.Millisecond), next.errors)
}
