package authn

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

// table is a store that does not change.
type table map[string]*Account

func (t table) Account(name string) *Account { return t[name] }

func alice(t testing.TB) table {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return table{"alice": {Name: "alice", PasswordHash: string(h), State: Active}}
}

func encoded(name, password string) []byte {
	return []byte(base64.StdEncoding.EncodeToString([]byte(name + ":" + password)))
}

func TestVerifiedPasswordsAreForgottenAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Users: alice(t)}).basic
		if _, err := b.verify(encoded("alice", "secret")); err != nil {
			t.Fatal(err)
		}
		for range cap(b.cpus) { // from here on only the cache can answer
			b.cpus <- struct{}{}
		}
		time.Sleep(basicTTL - time.Second)
		if _, err := b.verify(encoded("alice", "secret")); err != nil {
			t.Errorf("within the minute: %v", err)
		}
		time.Sleep(time.Second)
		if _, err := b.verify(encoded("alice", "secret")); !errors.Is(err, errBusy) {
			t.Errorf("after the minute: %v", err)
		}
	})
}

func TestPasswordChecksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Users: alice(t)}).basic
		for range cap(b.cpus) {
			b.cpus <- struct{}{}
		}
		errs := make(chan error, maxWaiting+8)
		for i := range maxWaiting {
			go func() {
				_, err := b.verify(encoded("alice", fmt.Sprintf("guess %d", i)))
				errs <- err
			}()
		}
		go func() { // joins one that waits already
			_, err := b.verify(encoded("alice", "guess 0"))
			errs <- err
		}()
		synctest.Wait()
		if _, err := b.verify(encoded("alice", "secret")); !errors.Is(err, errBusy) {
			t.Errorf("one too many: %v", err)
		}
		<-b.cpus // one is through
		if err := <-errs; !errors.Is(err, errPassword) {
			t.Errorf("first: %v", err)
		}
		for range maxWaiting {
			if err := <-errs; !errors.Is(err, errPassword) {
				t.Errorf("waiting: %v", err)
			}
		}
		if n := b.waiting.Load(); n != 0 {
			t.Errorf("%d still count as waiting", n)
		}
	})
}

func TestParallelRequestsOfOneClientCheckOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New(Options{Users: alice(t)}).basic
		for range cap(b.cpus) {
			b.cpus <- struct{}{}
		}
		errs := make(chan error, 20)
		for range cap(errs) {
			go func() {
				_, err := b.verify(encoded("alice", "secret"))
				errs <- err
			}()
		}
		synctest.Wait()
		if n := b.waiting.Load(); n != 1 {
			t.Errorf("%d wait for a CPU", n)
		}
		<-b.cpus
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestTokensEndInTheCacheToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := []byte("0123456789abcdef0123456789abcdef")
		token, err := IssueToken(key, Token{Username: "alice", Life: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		s := New(Options{Users: alice(t), Secret: key, ClockSkew: 10 * time.Second})
		for _, c := range []struct {
			after time.Duration
			good  bool
		}{{0, true}, {time.Minute, true}, {9 * time.Second, true}, {2 * time.Second, false}} {
			time.Sleep(c.after)
			if _, err := s.bearer.verify([]byte(token)); (err == nil) != c.good {
				t.Errorf("after another %v: %v", c.after, err)
			}
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	c := new(cache)
	for i := range 10 * cacheWays {
		e := &entry{expires: int64(1000 + i)}
		e.key[31] = byte(i) // all in one set
		c.put(e)
	}
	var kept []int64
	set := c.set(new([32]byte))
	for i := range set {
		kept = append(kept, set[i].Load().expires)
	}
	for _, expires := range kept {
		if expires < int64(1000+10*cacheWays-cacheWays) {
			t.Errorf("kept %v, want those that expire last", kept)
		}
	}
	e := &entry{expires: 2000}
	c.put(e)
	c.put(&entry{expires: 3000})
	if got := c.get(&e.key, 2500); got == nil || got.expires != 3000 {
		t.Errorf("replaced entry: %+v", got)
	}
	if got := c.get(&e.key, 3000); got != nil {
		t.Errorf("expired entry: %+v", got)
	}
}

func TestHashesThatTakeTooLongAreNotChecked(t *testing.T) {
	for hash, want := range map[string]bool{
		dummyHash: true, "": false, "plain text": false,
		"$2a$31$" + dummyHash[7:]: false, "$2a$xx$" + dummyHash[7:]: false, "$1a$10$" + dummyHash[7:]: false, "$2b$04$" + dummyHash[7:]: true,
	} {
		if got := usableHash(&Account{PasswordHash: hash}); (got == hash) != want {
			t.Errorf("%q: %q", hash, got)
		}
	}
	if cost, err := bcrypt.Cost([]byte(dummyHash)); err != nil || cost != bcrypt.DefaultCost {
		t.Errorf("dummy: %d, %v", cost, err)
	}
}
