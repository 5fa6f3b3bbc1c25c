package authn

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"

	"github.com/posternhq/postern/gateway/exchange"
)

const (
	cacheSets = 2048
	cacheWays = 4
)

// cache keeps what has been verified, so that a password is hashed once a minute and a signature checked once. It holds at
// most 8,192 entries of some 300 bytes: a new one takes the place of the one in its set that would expire first. Only
// verified credentials get in, so strangers cannot push anybody out. Credentials themselves are not kept.
type cache [cacheSets][cacheWays]atomic.Pointer[entry]

// entry is immutable.
type entry struct {
	key     [sha256.Size]byte
	expires int64 // Unix nanoseconds
	account *Account
	user    *exchange.User
}

func (c *cache) set(key *[sha256.Size]byte) *[cacheWays]atomic.Pointer[entry] {
	return &c[binary.LittleEndian.Uint64(key[:])%cacheSets]
}

// get is the entry of key if it is good at time now, else nil. It takes no lock.
func (c *cache) get(key *[sha256.Size]byte, now int64) *entry {
	set := c.set(key)
	for i := range set {
		if e := set[i].Load(); e != nil && e.key == *key && now < e.expires {
			return e
		}
	}
	return nil
}

// put stores e. Of two that are stored at once in one set one may be lost, which costs a verification.
func (c *cache) put(e *entry) {
	set := c.set(&e.key)
	victim, soonest := 0, int64(0)
	for i := range set {
		old := set[i].Load()
		if old == nil || old.key == e.key {
			victim = i
			break
		}
		if i == 0 || old.expires < soonest {
			victim, soonest = i, old.expires
		}
	}
	set[victim].Store(e)
}
