package manager

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// The buckets of a histogram: eight for each doubling, so a quantile is at most an eighth too high.
const (
	subBits    = 3
	buckets    = 64 << subBits
	bucketMask = 1<<subBits - 1
)

// counters count one version's answers. They are 4 KiB, exist while a rollout is under way, and take no lock.
type counters struct {
	requests, errors atomic.Int64
	latency          [buckets]atomic.Int64
}

// add counts an answer.
func (c *counters) add(code int, took time.Duration) {
	c.requests.Add(1)
	if code >= 500 {
		c.errors.Add(1)
	}
	c.latency[bucket(took)].Add(1)
}

// bucket is where a latency is counted, by its microseconds.
func bucket(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us <= bucketMask {
		return int(us)
	}
	exponent := bits.Len64(us) - subBits - 1
	return exponent<<subBits + int(us>>exponent)
}

// upper is the least latency that is beyond a bucket.
func upper(bucket int) time.Duration {
	if bucket <= bucketMask {
		return time.Duration(bucket+1) * time.Microsecond
	}
	exponent := bucket>>subBits - 1
	return time.Duration(uint64(bucket&bucketMask|(1<<subBits))+1) << exponent * time.Microsecond
}

// sample is what had been counted at one moment.
type sample struct {
	requests, errors int64
	latency          histogram
}

type histogram [buckets]int64

func (c *counters) sample() (s sample) {
	s.requests, s.errors = c.requests.Load(), c.errors.Load()
	for i := range s.latency {
		s.latency[i] = c.latency[i].Load()
	}
	return s
}

func (s *sample) errorRate() float64 {
	if s.requests == 0 {
		return 0
	}
	return float64(s.errors) / float64(s.requests)
}

// quantile is the latency that a share q of the answers did not exceed; 0 without answers.
func (h *histogram) quantile(q float64) time.Duration {
	var all, below int64
	for _, n := range h {
		all += n
	}
	if all == 0 {
		return 0
	}
	for i, n := range h {
		if below += n; float64(below) >= q*float64(all) {
			return upper(i)
		}
	}
	return upper(buckets - 1)
}
