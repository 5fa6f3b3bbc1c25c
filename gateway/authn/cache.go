package authn

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
	"time"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
)

const (
	cacheSets = 2048
	cacheWays = 4
)

// Cache keeps which tokens have been verified, so that a signature is checked once. It holds at most 8,192 entries of some
// 400 bytes: a new one takes the place of the one in its set that would expire first. Only verified tokens get in, so
// strangers cannot push anybody out. Tokens themselves are not kept. It outlives configurations: entries say who has
// vouched for them, and which stage has made them.
type Cache [cacheSets][cacheWays]atomic.Pointer[entry]

// entry is immutable.
type entry struct {
	key     [sha256.Size]byte
	expires int64 // Unix nanoseconds
	// What the token says, and who vouches for it: a *token.Keys, *oidc.Issuer or *review.Reviewer.
	by            any
	method        string
	name, session string
	uid           string   // of users who have no account here, as are groups
	groups        []string // as they were told
	issued        time.Time
	endless       bool
	extra         map[string][]string
	// Who that is to a stage, as far as sessions had ended at epoch.
	stage   *Stage
	epoch   uint64
	account *account.Account // nil: a user who has none
	user    *exchange.User
}

func (c *Cache) set(key *[sha256.Size]byte) *[cacheWays]atomic.Pointer[entry] {
	return &c[binary.LittleEndian.Uint64(key[:])%cacheSets]
}

// get is the entry of key if it is good at time now, else nil. It takes no lock.
func (c *Cache) get(key *[sha256.Size]byte, now int64) *entry {
	set := c.set(key)
	for i := range set {
		if e := set[i].Load(); e != nil && e.key == *key && now < e.expires {
			return e
		}
	}
	return nil
}

// put stores e. Of two that are stored at once in one set one may be lost, which costs a verification.
func (c *Cache) put(e *entry) {
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

// userSlots is how many users are kept ready: some 300 bytes each.
const userSlots = 4096

// users keep accounts as users of one stage, so that none is made for each request. Of two accounts with one slot the
// later stays.
type users struct {
	seed  maphash.Seed
	slots [userSlots]atomic.Pointer[ready]
}

type ready struct {
	account *account.Account
	user    *exchange.User
}

// of is a as a user who has shown who they are by method.
func (u *users) of(s *Stage, a *account.Account, method string) *exchange.User {
	slot := &u.slots[(maphash.String(u.seed, a.Name)+uint64(len(method)))%userSlots]
	if r := slot.Load(); r != nil && r.account == a && r.user.Method == method {
		return r.user
	}
	r := &ready{a, s.user(a, method, nil)}
	slot.Store(r)
	return r.user
}
