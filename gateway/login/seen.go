package login

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
)

const (
	seenSets = 2048
	seenWays = 4
)

// seen keeps what was right: at most 8,192 entries of 48 bytes; a new one takes the place of the one in its set that would
// expire first. Only who has a right password gets in, so strangers cannot push anybody out.
type seen [seenSets][seenWays]atomic.Pointer[proof]

// proof is immutable. Its key stands for name, password and hash; none of them is kept.
type proof struct {
	key     [sha256.Size]byte
	expires int64 // Unix nanoseconds
}

func (s *seen) set(key *[sha256.Size]byte) *[seenWays]atomic.Pointer[proof] {
	return &s[binary.LittleEndian.Uint64(key[:])%seenSets]
}

// has says whether key was put in and has not expired at time now. It takes no lock.
func (s *seen) has(key *[sha256.Size]byte, now int64) bool {
	set := s.set(key)
	for i := range set {
		if p := set[i].Load(); p != nil && p.key == *key && now < p.expires {
			return true
		}
	}
	return false
}

// put stores p. Of two that are stored at once in one set one may be lost, which costs a check.
func (s *seen) put(p *proof) {
	set := s.set(&p.key)
	victim, soonest := 0, int64(0)
	for i := range set {
		old := set[i].Load()
		if old == nil || old.key == p.key {
			victim = i
			break
		}
		if i == 0 || old.expires < soonest {
			victim, soonest = i, old.expires
		}
	}
	set[victim].Store(p)
}
