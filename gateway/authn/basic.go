package authn

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/sync/singleflight"

	"github.com/posternhq/postern/gateway/exchange"
)

const (
	basicTTL     = time.Minute
	maxBasic     = 2048 // bytes of base64
	maxName      = 253  // as Kubernetes' object names
	maxPassword  = 1024 // bcrypt looks at 72
	maxCost      = 14   // of a stored hash; about a second of CPU
	maxWaiting   = 64   // passwords that wait for a CPU
	waitDeadline = 5 * time.Second
)

// dummyHash is compared with the password of users that do not exist, so that they take as long as others. Nobody knows
// its password. Cost 10, as platform users have.
const dummyHash = "$2a$10$89Dk89JNvOFFsBLn3lelz.f7VXSU8teQzvctvNphSQODXXuZ2KCsG"

// basic checks passwords. At most all but one of the CPUs do so at once, since one check takes some 60 ms of CPU.
type basic struct {
	stage   *Stage
	salt    [32]byte // makes the cache's keys worthless outside of this process
	cache   *cache
	flight  singleflight.Group // a client's parallel requests check their password once
	cpus    chan struct{}
	waiting atomic.Int32
}

func newBasic(s *Stage) *basic {
	b := &basic{stage: s, cache: new(cache), cpus: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
	_, _ = rand.Read(b.salt[:]) // never fails
	return b
}

// decoded are buffers of names and passwords.
var decoded = sync.Pool{New: func() any { return new([maxBasic]byte) }}

// verify says whose name and password are encoded. Only active users may pass.
func (b *basic) verify(encoded []byte) (*exchange.User, error) {
	if len(encoded) > maxBasic {
		return nil, errTooLong
	}
	buf := decoded.Get().(*[maxBasic]byte)
	defer decoded.Put(buf)
	n, err := base64.StdEncoding.Decode(buf[:], encoded)
	if err != nil {
		return nil, errMalformed
	}
	name, password, ok := bytes.Cut(buf[:n], []byte(":"))
	if !ok || len(name) == 0 {
		return nil, errMalformed
	}
	if len(name) > maxName || len(password) > maxPassword {
		return nil, errTooLong
	}
	account := b.stage.o.Users.Account(unsafe.String(&name[0], len(name)))
	hash := usableHash(account)
	key := b.key(name, password, hash)
	now := time.Now()
	e := b.cache.get(&key, now.UnixNano())
	if e == nil {
		if err := b.check(key, hash, password); err != nil {
			return nil, err
		}
		if account == nil {
			return nil, errPassword
		}
		e = &entry{key: key, expires: now.Add(basicTTL).UnixNano()}
	}
	if account.State != Active {
		return nil, errInactive
	}
	return b.userOf(e, account), nil
}

// userOf is the entry's user, or a new one if the account has changed meanwhile.
func (b *basic) userOf(e *entry, account *Account) *exchange.User {
	if e.account != account {
		e = &entry{key: e.key, expires: e.expires, account: account, user: b.stage.user(account, Basic, nil)}
		b.cache.put(e)
	}
	return e.user
}

// key stands for name, password and hash together: with another hash the password has been changed.
func (b *basic) key(name, password []byte, hash string) [sha256.Size]byte {
	var room [2048]byte
	k := append(room[:0], b.salt[:]...)
	k = binary.LittleEndian.AppendUint16(k, uint16(len(name)))
	k = append(k, name...)
	k = binary.LittleEndian.AppendUint16(k, uint16(len(password)))
	k = append(append(k, password...), hash...)
	return sha256.Sum256(k)
}

// usableHash is the account's hash, or the dummy for whoever has none that can be checked in time.
func usableHash(a *Account) string {
	if a == nil || len(a.PasswordHash) != len(dummyHash) || !strings.HasPrefix(a.PasswordHash, "$2") {
		return dummyHash
	}
	if cost, err := strconv.ParseUint(a.PasswordHash[4:6], 10, 8); err != nil || cost > maxCost { // $2a$10$…
		return dummyHash
	}
	return a.PasswordHash
}

// check compares, once for all who ask the same at the same time.
func (b *basic) check(key [sha256.Size]byte, hash string, password []byte) error {
	_, err, _ := b.flight.Do(string(key[:]), func() (any, error) { return nil, b.compare(hash, password) })
	return err
}

func (b *basic) compare(hash string, password []byte) error {
	if b.waiting.Add(1) > maxWaiting {
		b.waiting.Add(-1)
		return errBusy
	}
	ctx, cancel := context.WithTimeout(context.Background(), waitDeadline)
	defer cancel()
	select {
	case b.cpus <- struct{}{}:
		b.waiting.Add(-1)
		defer func() { <-b.cpus }()
	case <-ctx.Done():
		b.waiting.Add(-1)
		return errBusy
	}
	b.stage.o.Metrics.passwordChecked()
	if bcrypt.CompareHashAndPassword([]byte(hash), password) != nil {
		return errPassword
	}
	return nil
}
