package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"
	"golang.org/x/crypto/bcrypt"

	"github.com/posternhq/postern/gateway/account"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hash is cheap: 1 ms instead of 60.
func hash(password string) string {
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		panic(err)
	}
	return string(h)
}

var people = account.NewDirectory([]*account.Account{
	{Name: "alice", Email: "alice@example.com", PasswordHash: hash("P@ss:word"), State: account.Active},
	{Name: "dora", PasswordHash: hash("secret"), State: account.Disabled},
	{Name: "lisa", PasswordHash: hash("secret"), State: account.AuthLimitExceeded},
	{Name: "nora", PasswordHash: hash("secret")},
	{Name: "paul", PasswordHash: "plain", State: account.Active},
	{Name: "one", Email: "both@example.com", PasswordHash: hash("secret"), State: account.Active},
	{Name: "two", Email: "both@example.com", PasswordHash: hash("secret"), State: account.Active},
	{Name: "lena", PasswordHash: "", State: account.Active, Provider: "ldap", ProviderUID: "7"},
})

func TestPassword(t *testing.T) {
	c := New(Options{Users: people})
	c.dummy = hash("of nobody")
	for _, x := range []struct {
		name, password, want string
		err                  error
	}{
		{"alice", "P@ss:word", "alice", nil},
		{"alice@example.com", "P@ss:word", "alice", nil},
		{"Alice@Example.com", "P@ss:word", "alice", nil},
		{"alice", "other", "", ErrWrong},
		{"alice", "", "", ErrWrong},
		{"bob", "P@ss:word", "", ErrWrong},
		{"bob@example.com", "P@ss:word", "", ErrWrong},
		{"both@example.com", "secret", "", ErrWrong},
		{"dora", "secret", "", ErrInactive},
		{"dora", "secret", "", ErrInactive}, // once more, from what was seen
		{"dora", "x", "", ErrWrong},
		{"nora", "secret", "", ErrInactive},
		{"paul", "plain", "", ErrWrong},
		{"lena", "", "", ErrWrong},
		{"", "x", "", ErrWrong},
		{strings.Repeat("a", MaxName+1), "x", "", ErrWrong},
		{"alice", strings.Repeat("a", MaxPassword+1), "", ErrWrong},
	} {
		a, err := c.Password(t.Context(), Attempt{Name: x.name, Password: x.password})
		if !errors.Is(err, x.err) || (err == nil) != (a != nil) || a != nil && a.Name != x.want {
			t.Errorf("%s %q: %+v, %v", x.name, x.password, a, err)
		}
		if known := c.Known(x.name, x.password); (known != nil) != (x.err == nil) {
			t.Errorf("%s %q: known as %+v", x.name, x.password, known)
		}
	}
	var throttled *Throttled
	if _, err := c.Password(t.Context(), Attempt{Name: "lisa", Password: "secret"}); !errors.As(err, &throttled) || throttled.RetryAfter <= 0 {
		t.Errorf("locked: %v", err)
	}
}

func TestKnownPasswordsAreForgottenAfterAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Users: people})
		try := func() error {
			_, err := c.Password(t.Context(), Attempt{Name: "alice", Password: "P@ss:word"})
			return err
		}
		for _, wait := range []time.Duration{0, TTL - time.Second, time.Second} {
			time.Sleep(wait)
			if err := try(); err != nil {
				t.Errorf("after another %v: %v", wait, err)
			}
		}
		if n := testutil.ToFloat64(c.checks); n != 2 {
			t.Errorf("%v comparisons, want 2: the first, and the one after a minute", n)
		}
	})
}

func TestAChangedPasswordIsForgottenAtOnce(t *testing.T) {
	c := New(Options{Users: people})
	if _, err := c.Password(t.Context(), Attempt{Name: "alice", Password: "P@ss:word"}); err != nil {
		t.Fatal(err)
	}
	changed := *people.Account("alice")
	changed.PasswordHash = hash("new")
	c.o.Users = account.NewDirectory([]*account.Account{&changed})
	if c.Known("alice", "P@ss:word") != nil {
		t.Error("the old password is still known")
	}
	if _, err := c.Password(t.Context(), Attempt{Name: "alice", Password: "P@ss:word"}); !errors.Is(err, ErrWrong) {
		t.Error(err)
	}
}

// fill takes all slots, so that whoever needs one waits.
func fill(slots chan struct{}) {
	for range cap(slots) {
		slots <- struct{}{}
	}
}

func TestPasswordChecksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, cheap := []*account.Account{people.Account("alice")}, hash("secret")
		for i := range maxWaiting {
			all = append(all, &account.Account{Name: fmt.Sprintf("user-%d", i), PasswordHash: cheap, State: account.Active})
		}
		c := New(Options{Users: account.NewDirectory(all)})
		fill(c.cpus)
		errs := make(chan error, maxWaiting+8)
		guess := func(i int) {
			_, err := c.Password(t.Context(), Attempt{Name: fmt.Sprintf("user-%d", i), Password: "x"})
			errs <- err
		}
		for i := range maxWaiting {
			go guess(i)
		}
		go guess(0) // joins one that waits already
		synctest.Wait()
		if _, err := c.Password(t.Context(), Attempt{Name: "alice", Password: "P@ss:word"}); !errors.Is(err, ErrBusy) {
			t.Errorf("one too many: %v", err)
		}
		<-c.cpus // one CPU is free
		for range maxWaiting + 1 {
			if err := <-errs; !errors.Is(err, ErrWrong) && !errors.Is(err, ErrBusy) {
				t.Errorf("waiting: %v", err)
			}
		}
		if n := c.waiting.Load(); n != 0 || len(c.turns.busy) != 0 {
			t.Errorf("%d still count as waiting, turns %v", n, c.turns.busy)
		}
	})
}

func TestParallelRequestsOfOneClientCheckOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New(Options{Users: people})
		fill(c.cpus)
		errs := make(chan error, 20)
		for range cap(errs) {
			go func() {
				_, err := c.Password(t.Context(), Attempt{Name: "alice", Password: "P@ss:word"})
				errs <- err
			}()
		}
		synctest.Wait()
		if n := c.waiting.Load(); n != 1 {
			t.Errorf("%d wait for a CPU", n)
		}
		<-c.cpus
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if n := testutil.ToFloat64(c.checks); n != 1 {
			t.Errorf("%v comparisons", n)
		}
	})
}

// counter throttles a user after limit failures, and notes what it is told.
type counter struct {
	mu      sync.Mutex
	limit   int
	failed  map[string]int // by user, and by address
	success []string
}

func (c *counter) Wait(_ context.Context, user, address string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed[user] >= c.limit || c.failed[address] >= 3*c.limit {
		return 30 * time.Minute
	}
	return 0
}

func (c *counter) Failed(_ context.Context, user, address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed[user]++
	c.failed[address]++
}

func (c *counter) Succeeded(_ context.Context, user, address string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.success = append(c.success, user+" "+address)
}

// records are what was recorded.
type records struct {
	mu  sync.Mutex
	all []Record
}

func (r *records) Record(one Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, one)
}

// Upstream counts failures in the cluster's objects, and lets guesses at once through meanwhile.
func TestNoGuessGetsByTheThrottle(t *testing.T) {
	count, log := &counter{limit: 5, failed: map[string]int{}}, new(records)
	c := New(Options{Users: people, Throttle: count, Recorder: log})
	var all sync.WaitGroup
	var mu sync.Mutex
	outcomes := map[string]int{}
	for i := range 40 {
		all.Go(func() {
			_, err := c.Password(t.Context(), Attempt{Name: []string{"alice", "alice@example.com"}[i%2], Password: fmt.Sprint(i), Address: fmt.Sprint(i)})
			var throttled *Throttled
			what := fmt.Sprint(err)
			if errors.As(err, &throttled) {
				what = "throttled"
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[what]++
		})
	}
	all.Wait()
	if outcomes[ErrWrong.Error()] != 5 || outcomes["throttled"] != 35 || count.failed["alice"] != 5 {
		t.Errorf("%v, counted %v", outcomes, count.failed)
	}
	if len(log.all) != 5 || log.all[0].User != "alice" || log.all[0].Success || log.all[0].Reason != ErrWrong.Error() || log.all[0].Kind != KindPassword {
		t.Errorf("recorded %+v", log.all)
	}
	if _, err := c.Password(t.Context(), Attempt{Name: "alice", Password: "P@ss:word"}); err == nil {
		t.Error("the right password gets by")
	}
}

func TestUnknownUsersAreThrottledAndNotRecorded(t *testing.T) {
	count, log := &counter{limit: 2, failed: map[string]int{}}, new(records)
	c := New(Options{Users: people, Throttle: count, Recorder: log})
	c.dummy = hash("of nobody")
	var throttled *Throttled
	for i := range 3 {
		_, err := c.Password(t.Context(), Attempt{Name: "nobody", Password: "x", Address: "192.0.2.1"})
		if i < 2 && !errors.Is(err, ErrWrong) || i == 2 && !errors.As(err, &throttled) {
			t.Errorf("attempt %d: %v", i, err)
		}
	}
	if len(log.all) != 0 || testutil.ToFloat64(c.checks) != 2 {
		t.Errorf("recorded %+v, %v comparisons", log.all, testutil.ToFloat64(c.checks))
	}
}

func TestSuccessIsRecordedOnce(t *testing.T) {
	count, log := &counter{limit: 2, failed: map[string]int{}}, new(records)
	c := New(Options{Users: people, Throttle: count, Recorder: log})
	for range 3 {
		if _, err := c.Password(t.Context(), Attempt{Name: "alice@example.com", Password: "P@ss:word", Address: "192.0.2.1", UserAgent: "curl"}); err != nil {
			t.Fatal(err)
		}
	}
	if len(log.all) != 1 || !log.all[0].Success || log.all[0].User != "alice" || log.all[0].SourceIP != "192.0.2.1" || log.all[0].UserAgent != "curl" {
		t.Errorf("recorded %+v", log.all)
	}
	count.failed["alice"] = 9 // others guess meanwhile
	if c.Known("alice@example.com", "P@ss:word") == nil {
		t.Error("others' failures hold a known password up")
	}
	if len(count.success) != 1 || count.success[0] != "alice 192.0.2.1" {
		t.Errorf("succeeded %v", count.success)
	}
}

// ldap is a provider that knows lena.
type ldap struct{}

var errDown = errors.New("connection refused")

func (ldap) Login(_ context.Context, provider, name, password string) (*account.Account, error) {
	switch {
	case provider != "ldap":
		return nil, errDown
	case name != "lena" || password != "secret":
		return nil, fmt.Errorf("cannot bind: %w", ErrWrong)
	}
	return people.Account("lena"), nil
}

func TestProviders(t *testing.T) {
	count, log := &counter{limit: 2, failed: map[string]int{}}, new(records)
	c := New(Options{Users: people, Throttle: count, Recorder: log})
	fill(c.cpus) // not needed for what others compute
	try := func(c *Checker, provider, name, password string) error {
		a, err := c.Password(t.Context(), Attempt{Name: name, Password: password, Provider: provider})
		if (a == nil) == (err == nil) {
			t.Errorf("%+v, %v", a, err)
		}
		return err
	}
	if err := try(c, "ldap", "lena", "secret"); !errors.Is(err, errNoProvider) {
		t.Error(err)
	}
	c = c.WithDirectory(ldap{})
	if err := try(c, "ldap", "lena", "secret"); err != nil {
		t.Error(err)
	}
	if err := try(c, "other", "lena", "secret"); !errors.Is(err, errDown) || count.failed["lena"] != 0 {
		t.Errorf("%v, counted %v", err, count.failed)
	}
	if err := try(c, "ldap", "lena", "x"); !errors.Is(err, ErrWrong) || count.failed["lena"] != 1 {
		t.Errorf("%v, counted %v", err, count.failed)
	}
	if len(log.all) != 2 || !log.all[0].Success || log.all[1].Success || log.all[0].Provider != "ldap" {
		t.Errorf("recorded %+v", log.all)
	}
	// A directory takes capitals or not: they are no way around the throttle.
	for _, name := range []string{"nobody", "Nobody"} {
		if err := try(c, "ldap", name, "x"); !errors.Is(err, ErrWrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var throttled *Throttled
	if err := try(c, "ldap", "NOBODY", "x"); !errors.As(err, &throttled) {
		t.Errorf("another spelling: %v, counted %v", err, count.failed)
	}
}

func TestHashesThatTakeTooLongAreNotChecked(t *testing.T) {
	h := newHashing(nil)
	for hash, want := range map[string]bool{
		dummyHash: true, "": false, "plain text": false,
		"$2a$31$" + dummyHash[7:]: false, "$2a$xx$" + dummyHash[7:]: false, "$1a$10$" + dummyHash[7:]: false, "$2b$04$" + dummyHash[7:]: true,
	} {
		if got := h.usableHash(&account.Account{PasswordHash: hash}); (got == hash) != want {
			t.Errorf("%q: %q", hash, got)
		}
	}
	if cost, err := bcrypt.Cost([]byte(dummyHash)); err != nil || cost != bcrypt.DefaultCost {
		t.Errorf("dummy: %d, %v", cost, err)
	}
}

func TestWhatWasSeenIsBounded(t *testing.T) {
	s := new(seen)
	for i := range 10 * seenWays {
		p := &proof{expires: int64(1000 + i)}
		p.key[31] = byte(i) // all in one set
		s.put(p)
	}
	set := s.set(new([32]byte))
	for i := range set {
		if expires := set[i].Load().expires; expires < int64(1000+10*seenWays-seenWays) {
			t.Errorf("kept %d, want those that expire last", expires)
		}
	}
	p := &proof{expires: 2000}
	s.put(p)
	s.put(&proof{expires: 3000})
	if !s.has(&p.key, 2500) || s.has(&p.key, 3000) {
		t.Error("a replaced proof is not the one of its time")
	}
}
