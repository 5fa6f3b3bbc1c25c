package session

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// addressFactor is how many users' failures an address is good for by default: behind one there may be an office, or a proxy
// that nobody has told the gateway to trust.
const addressFactor = 10

// tries are what one attempt is counted by.
type tries struct {
	counted []limit // of the user, of the address
	window  time.Duration
}

// limit locks its key from the max-th failure on.
type limit struct {
	key  failureKey
	what byte // 'u' or 'a'
	max  int
}

// failureKey is a hash of a user or an address: names are of any length, and what people type there may be a password.
type failureKey [16]byte

func (s *Settings) tries(user, address string) tries {
	t := tries{window: s.Window}
	if s.MaxTries <= 0 || s.Window <= 0 {
		return t
	}
	if user != "" {
		t.counted = append(t.counted, limit{keyOf('u', user), 'u', s.MaxTries})
	}
	if address != "" {
		most := s.AddressTries
		if most <= 0 {
			most = addressFactor * s.MaxTries
		}
		t.counted = append(t.counted, limit{keyOf('a', network(address)), 'a', most})
	}
	return t
}

func keyOf(what byte, name string) (k failureKey) {
	sum := sha256.Sum256(append([]byte{what}, name...))
	copy(k[:], sum[:])
	return k
}

// network is what an address is counted by.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, 64).Masked().String()
}

const (
	failureShards = 16
	failureMost   = 4096 // of a shard
)

// failures counts in memory. It holds at most 65,536 counters, some 5 MB; one more takes the place of one that locks
// nobody, with the fewest failures, of those that end soonest.
type failures struct {
	shards [failureShards]failureShard
}

type failureShard struct {
	mu     sync.Mutex
	counts map[failureKey]count
}

// count is how many failures there were since the first, until when they count.
type count struct {
	n     int
	until int64 // Unix nanoseconds
}

func newFailures() *failures {
	f := new(failures)
	for i := range f.shards {
		f.shards[i].counts = map[failureKey]count{}
	}
	return f
}

func (f *failures) shard(k failureKey) *failureShard { return &f.shards[k[0]%failureShards] }

// wait is how long t has to wait at time now.
func (f *failures) wait(t tries, now time.Time) (wait time.Duration) {
	for _, l := range t.counted {
		s := f.shard(l.key)
		s.mu.Lock()
		c := s.counts[l.key]
		s.mu.Unlock()
		if c.n >= l.max {
			wait = max(wait, time.Duration(c.until-now.UnixNano()))
		}
	}
	return wait
}

// add counts a failure. The window begins with the first one and, when that locks, anew with the last.
func (f *failures) add(t tries, now time.Time) {
	for _, l := range t.counted {
		s := f.shard(l.key)
		s.mu.Lock()
		c, ok := s.counts[l.key]
		if !ok && len(s.counts) >= failureMost {
			s.evict(now.UnixNano())
		}
		if c.until <= now.UnixNano() {
			c = count{until: now.Add(t.window).UnixNano()}
		}
		if c.n++; c.n == l.max {
			c.until = now.Add(t.window).UnixNano()
		}
		s.counts[l.key] = c
		s.mu.Unlock()
	}
}

// evict makes room: what is over goes, else the counter that is worth least.
func (s *failureShard) evict(now int64) {
	var least failureKey
	var worth count
	for k, c := range s.counts {
		if c.until <= now {
			delete(s.counts, k)
			continue
		}
		if worth.until == 0 || c.n < worth.n || c.n == worth.n && c.until < worth.until {
			least, worth = k, c
		}
	}
	if len(s.counts) >= failureMost {
		delete(s.counts, least)
	}
}

func (f *failures) forget(t tries) {
	for _, l := range t.counted {
		s := f.shard(l.key)
		s.mu.Lock()
		delete(s.counts, l.key)
		s.mu.Unlock()
	}
}
