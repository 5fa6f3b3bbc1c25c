package login

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"

	"github.com/posternhq/postern/gateway/account"
)

const (
	maxCost    = 14 // of a stored hash; about a second of CPU
	maxWaiting = 64 // passwords that wait for their turn
	maxAbroad  = 16 // questions to identity providers at once
	deadline   = 5 * time.Second
)

// dummyHash is compared with the password of users that do not exist, so that they take as long as others. Nobody knows
// its password. Cost 10, as platform users have.
const dummyHash = "$2a$10$89Dk89JNvOFFsBLn3lelz.f7VXSU8teQzvctvNphSQODXXuZ2KCsG"

// hashing compares passwords with hashes. At most all but one of the CPUs do so at once, since one comparison takes some
// 60 ms of CPU.
type hashing struct {
	salt    [32]byte // makes the keys of what was seen worthless outside of this process
	seen    *seen
	flight  singleflight.Group // a client's parallel requests check their password once
	dummy   string             // stands for hashes that there are not
	turns   turns
	cpus    chan struct{}
	abroad  chan struct{} // one for each question to a provider
	waiting atomic.Int32
	checks  prometheus.Counter
}

func newHashing(r prometheus.Registerer) *hashing {
	h := &hashing{
		seen: new(seen), dummy: dummyHash, cpus: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), abroad: make(chan struct{}, maxAbroad),
		turns: turns{busy: map[string]chan struct{}{}},
		checks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "postern_login_password_checks_total", Help: "Passwords compared with a bcrypt hash.",
		}),
	}
	if r != nil {
		r.MustRegister(h.checks)
	}
	_, _ = rand.Read(h.salt[:]) // never fails
	return h
}

// key stands for name, password and hash together: with another hash the password has been changed.
func (h *hashing) key(name, password, hash string) [sha256.Size]byte {
	var room [2048]byte
	k := append(room[:0], h.salt[:]...)
	k = binary.LittleEndian.AppendUint16(k, uint16(len(name)))
	k = append(k, name...)
	k = binary.LittleEndian.AppendUint16(k, uint16(len(password)))
	k = append(append(k, password...), hash...)
	return sha256.Sum256(k)
}

// usableHash is the account's hash, or the dummy for whoever has none that can be checked in time.
func (h *hashing) usableHash(a *account.Account) string {
	if a == nil || !a.Hashed() {
		return h.dummy
	}
	if cost, err := strconv.ParseUint(a.PasswordHash[4:6], 10, 8); err != nil || cost > maxCost { // $2a$10$…
		return h.dummy
	}
	return a.PasswordHash
}

// check compares a new password, once for all who ask the same at the same time.
func (c *Checker) check(ctx context.Context, key [sha256.Size]byte, a Attempt, found *account.Account) error {
	_, err, _ := c.flight.Do(string(key[:]), func() (any, error) {
		// Whoever joins must not fail because the first one has left.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deadline)
		defer cancel()
		return c.turn(ctx, a, found, c.cpus, func() (*account.Account, error) {
			c.checks.Inc()
			if bcrypt.CompareHashAndPassword([]byte(c.usableHash(found)), []byte(a.Password)) != nil || found == nil {
				return nil, ErrWrong
			}
			c.seen.put(&proof{key: key, expires: time.Now().Add(TTL).UnixNano()})
			return admit(found)
		})
	})
	return err
}

// turn runs compare when it is its turn and one of slots is free, and counts how it ended: users have one password compared
// at a time, so that none of many guesses at once gets by the throttle. known is whom the attempt names; nil: nobody.
func (c *Checker) turn(ctx context.Context, a Attempt, known *account.Account, slots chan struct{}, compare func() (*account.Account, error)) (*account.Account, error) {
	user := a.Name
	if known != nil {
		user = known.Name
	}
	if err := c.throttled(ctx, user, a.Address); err != nil {
		return nil, err
	}
	if c.waiting.Add(1) > maxWaiting {
		c.waiting.Add(-1)
		return nil, ErrBusy
	}
	leave, ok := c.enter(ctx, user, slots)
	c.waiting.Add(-1)
	if !ok {
		return nil, ErrBusy
	}
	defer leave()
	if err := c.throttled(ctx, user, a.Address); err != nil {
		return nil, err
	}
	found, err := compare()
	if err != nil {
		c.ended(ctx, user, a, known, err)
		return nil, err
	}
	c.ended(ctx, user, a, found, nil)
	return found, nil
}

// enter waits until nobody else has a password of that user compared, then for a slot.
func (h *hashing) enter(ctx context.Context, user string, slots chan struct{}) (leave func(), ok bool) {
	if !h.turns.take(ctx, user) {
		return nil, false
	}
	select {
	case slots <- struct{}{}:
		return func() { <-slots; h.turns.give(user) }, true
	case <-ctx.Done():
		h.turns.give(user)
		return nil, false
	}
}
