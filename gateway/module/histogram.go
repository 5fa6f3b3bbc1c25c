package module

import (
	"math"
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of a histogram's buckets, in seconds: six a decade, so that a quantile is off by a quarter at most.
var bounds = [...]float64{
	0.0001, 0.00015, 0.0002, 0.0003, 0.0005, 0.0007,
	0.001, 0.0015, 0.002, 0.003, 0.005, 0.007,
	0.01, 0.015, 0.02, 0.03, 0.05, 0.07,
	0.1, 0.15, 0.2, 0.3, 0.5, 0.7,
	1, 1.5, 2, 3, 5, 7,
	10, 15, 20, 30, 60,
}

// histogram counts durations; observing one allocates nothing and takes no lock.
type histogram struct {
	counts [len(bounds) + 1]atomic.Int64 // the last one is beyond all bounds
	sum    atomic.Int64                  // nanoseconds
}

func (h *histogram) observe(d time.Duration) {
	seconds, from, to := d.Seconds(), 0, len(bounds)
	for from < to {
		if middle := (from + to) / 2; seconds <= bounds[middle] {
			to = middle
		} else {
			from = middle + 1
		}
	}
	h.counts[from].Add(1)
	h.sum.Add(int64(d))
}

// Latency is a histogram at one moment.
type Latency struct {
	counts [len(bounds) + 1]int64
	sum    int64
}

func (h *histogram) load() (l Latency) {
	for n := range h.counts {
		l.counts[n] = h.counts[n].Load()
	}
	l.sum = h.sum.Load()
	return l
}

func (l *Latency) add(other *Latency) {
	for n := range l.counts {
		l.counts[n] += other.counts[n]
	}
	l.sum += other.sum
}

// Count is how many durations there are.
func (l *Latency) Count() (n int64) {
	for _, c := range l.counts {
		n += c
	}
	return n
}

// Sum is all durations together, in seconds.
func (l *Latency) Sum() float64 { return float64(l.sum) / 1e9 }

// Buckets are the counts at or below each bound in seconds, as Prometheus has them: every other bound, which is enough there.
func (l *Latency) Buckets() map[float64]uint64 {
	all, below := make(map[float64]uint64, len(bounds)), int64(0)
	for n, bound := range bounds {
		if below += l.counts[n]; n%2 == 0 {
			all[bound] = uint64(below)
		}
	}
	return all
}

// Quantile is the q-quantile, 0 to 1, in seconds: linear within its bucket; 0 when there is nothing.
func (l *Latency) Quantile(q float64) float64 {
	rank, below, lower := math.Ceil(q*float64(l.Count())), 0.0, 0.0
	if rank == 0 {
		return 0
	}
	for n, bound := range bounds {
		c := float64(l.counts[n])
		if below+c >= rank {
			return lower + (bound-lower)*(rank-below)/c
		}
		below, lower = below+c, bound
	}
	return lower // beyond the last bound: that is all we know
}
