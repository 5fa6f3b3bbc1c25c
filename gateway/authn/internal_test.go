package authn

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/posternhq/postern/gateway/account"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/token"
)

func TestTokensEndInTheCacheToo(t *testing.T) {
	keys, err := token.New(token.Options{Secret: []byte("0123456789abcdef0123456789abcdef"), Skew: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	ring := new(token.Ring)
	ring.Set(keys)
	synctest.Test(t, func(t *testing.T) {
		c := &token.Claims{Kind: token.Access, Username: "alice"}
		c.Expiry = jwt.NewNumericDate(time.Now().Add(time.Minute))
		text, err := keys.Sign(c)
		if err != nil {
			t.Fatal(err)
		}
		s := New(Options{Users: account.NewDirectory([]*account.Account{{Name: "alice", State: account.Active}}), Keys: ring})
		for _, c := range []struct {
			after time.Duration
			good  bool
		}{{0, true}, {time.Minute, true}, {9 * time.Second, true}, {2 * time.Second, false}} {
			time.Sleep(c.after)
			if _, err := s.bearer(new(exchange.Exchange), []byte(text)); (err == nil) != c.good {
				t.Errorf("after another %v: %v", c.after, err)
			}
		}
	})
}

func TestCacheIsBounded(t *testing.T) {
	c := new(Cache)
	for i := range 10 * cacheWays {
		e := &entry{expires: int64(1000 + i)}
		e.key[31] = byte(i) // all in one set
		c.put(e)
	}
	set := c.set(new([32]byte))
	for i := range set {
		if expires := set[i].Load().expires; expires < int64(1000+10*cacheWays-cacheWays) {
			t.Errorf("kept %d, want those that expire last", expires)
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
