package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/session/sessiontest"
)

// replica is one of several gateways: a Keeper that runs.
type replica struct {
	*Keeper
	log  *safeBuffer
	stop func()
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func at(s *sessiontest.Server) Settings {
	return Settings{Redis: &Redis{Address: s.Address(), Password: s.Password, DB: 1}, MaxTries: 3, Window: time.Hour}
}

// start runs a replica until the end of the test, or until it is stopped. journal may be empty.
func start(t *testing.T, s Settings, journal string) *replica {
	t.Helper()
	r := &replica{log: new(safeBuffer)}
	r.Keeper = New(Options{Settings: s, Log: zerolog.New(r.log), Metrics: NewMetrics(prometheus.NewRegistry())})
	if journal != "" {
		must(t, r.Open(journal))
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var once sync.Once
	r.stop = func() {
		once.Do(func() {
			cancel()
			if err := errors.Join(<-ended, r.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(r.stop)
	return r
}

// running has two replicas that have read Redis.
func running(t *testing.T, s Settings) (a, b *replica) {
	t.Helper()
	a, b = start(t, s, ""), start(t, s, "")
	a.connected(t)
	b.connected(t)
	return a, b
}

func (r *replica) connected(t *testing.T) {
	t.Helper()
	eventually(t, "Redis is followed", func() bool { return r.Ready() == nil && r.Note() == "" })
}

func (r *replica) disconnected(t *testing.T) {
	t.Helper()
	eventually(t, "it is noticed that Redis is gone", func() bool { return r.Note() != "" })
}

func (r *replica) learns(t *testing.T, user, session string) {
	t.Helper()
	eventually(t, "the end is known", func() bool { return r.Ended(user, session, time.Now()) })
}

// ends ends a session, also on a machine so busy that Redis seems gone for a moment.
func (r *replica) ends(t *testing.T, session string) {
	t.Helper()
	eventually(t, "the end is stored", func() bool { return r.EndSession(t.Context(), session, inAnHour()) == nil })
}

func TestALogoutIsSeenByAllReplicas(t *testing.T) {
	t.Parallel()
	a, b := running(t, at(sessiontest.Redis(t)))
	gone, other := NewID(), NewID()
	before := b.Epoch()
	a.ends(t, gone)
	b.learns(t, "alice", gone)
	if b.Epoch() == before || b.Ended("alice", other, time.Now()) {
		t.Error("not that session and no other, with a new epoch")
	}
	kept := NewID()
	must(t, b.EndUser(t.Context(), "bob \"x\" ü", kept, inAnHour()))
	a.learns(t, "bob \"x\" ü", other)
	if a.Ended("bob \"x\" ü", kept, time.Now()) {
		t.Error("the session to keep has ended elsewhere")
	}
	// One that starts later reads it, also many pages of it.
	for range 30 {
		a.ends(t, NewID())
	}
	c := start(t, *a.settings.Load(), "")
	c.connected(t)
	if !c.Ended("alice", gone, time.Now()) || !c.Ended("bob \"x\" ü", other, time.Now()) || c.memory.ended.size.Load() != 31 {
		t.Error("a new replica does not know what has ended before")
	}
}

// TestABearerRequestNeverAsksRedis asks while Redis hangs.
func TestABearerRequestNeverAsksRedis(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	a, _ := running(t, at(s))
	s.Signal(syscall.SIGSTOP)
	defer s.Signal(syscall.SIGCONT)
	id := NewID()
	for range 100_000 {
		if a.Ended("alice", id, time.Now()) {
			t.Fatal("ended")
		}
	}
}

func TestOnceAmongReplicas(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	a, b := running(t, at(s))
	for i := range 20 {
		var first atomic.Int32
		var all sync.WaitGroup
		for _, r := range []*replica{a, b, a, b, a, b} {
			all.Go(func() {
				ok, err := r.Once(context.Background(), fmt.Sprint("code", i), inAnHour())
				if err != nil {
					t.Error(err)
				}
				if ok {
					first.Add(1)
				}
			})
		}
		all.Wait()
		if first.Load() != 1 {
			t.Fatalf("code %d was good %d times", i, first.Load())
		}
	}
	if got := s.Do("KEYS", "*"); got != "*0" { // database 0
		t.Errorf("something is in another database: %s", got)
	}
}

func TestFailuresAreCountedAmongReplicas(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	a, b := running(t, at(s))
	ctx := t.Context()
	// Counted at once, though the client leaves before it is.
	left, cancel := context.WithCancel(ctx)
	cancel()
	a.Failed(left, "alice", "192.0.2.1")
	b.Failed(left, "alice", "192.0.2.2")
	if a.Wait(ctx, "alice", "") != 0 {
		t.Error("two of three lock")
	}
	b.Failed(ctx, "alice", "192.0.2.3")
	for _, r := range []*replica{a, b} {
		if w := r.Wait(ctx, "alice", "192.0.2.9"); w <= 0 || w > time.Hour {
			t.Errorf("a locked user waits %v", w)
		}
		if w := r.Wait(ctx, "bob", "192.0.2.1"); w != 0 {
			t.Errorf("another waits %v", w)
		}
	}
	a.Succeeded(ctx, "alice", "192.0.2.1")
	if b.Wait(ctx, "alice", "192.0.2.9") != 0 {
		t.Error("a success elsewhere is not known")
	}
	for i := range 30 {
		[]*replica{a, b}[i%2].Failed(ctx, fmt.Sprint("guess", i), "2001:db8::1")
	}
	if a.Wait(ctx, "carol", "2001:db8::2") == 0 || b.Wait(ctx, "", "2001:db8::3") == 0 {
		t.Error("30 failures of an address do not lock it")
	}
}

// TestRedisGoneAndBackEmpty is the policy: what has ended stays so, logins that need Redis are refused, nothing is alive
// again afterwards, though Redis has lost everything.
func TestRedisGoneAndBackEmpty(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	a, b := running(t, at(s))
	ctx := t.Context()
	before, during, after := NewID(), NewID(), NewID()
	a.ends(t, before)
	if first, err := b.Once(ctx, "used before", inAnHour()); !first || err != nil {
		t.Fatal(first, err)
	}
	a.Failed(ctx, "alice", "192.0.2.1")
	b.learns(t, "alice", before)
	s.Kill()
	a.disconnected(t)
	b.disconnected(t)
	if a.Ready() != nil || !b.Ended("alice", before, time.Now()) {
		t.Error("what was known is not any more")
	}
	if err := a.EndSession(ctx, during, inAnHour()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a logout that others do not know of: %v", err)
	}
	if !a.Ended("alice", during, time.Now()) {
		t.Error("it is not in force here")
	}
	if first, err := a.Once(ctx, "used during", inAnHour()); first || !errors.Is(err, ErrUnavailable) {
		t.Errorf("a code was taken: %v, %v", first, err)
	}
	a.Failed(ctx, "alice", "192.0.2.1")
	a.Failed(ctx, "alice", "192.0.2.1")
	if a.Wait(ctx, "alice", "") == 0 {
		t.Error("nobody counts failures without Redis")
	}
	s.Start()
	a.connected(t)
	b.connected(t)
	b.learns(t, "alice", during)
	if first, err := a.Once(ctx, "used before", inAnHour()); first || err != nil {
		t.Errorf("a code is good again, elsewhere: %v, %v", first, err)
	}
	b.ends(t, after)
	a.learns(t, "alice", after)
	c := start(t, at(s), "")
	c.connected(t)
	for _, id := range []string{before, during, after} {
		if !c.Ended("alice", id, time.Now()) {
			t.Error("a new replica takes an ended session")
		}
	}
	if !strings.Contains(a.log.String(), "Redis is gone") || !strings.Contains(a.log.String(), "Redis is there again") {
		t.Errorf("the log says %s", a.log)
	}
	if strings.Contains(a.log.String(), s.Password) {
		t.Error("the log has the password")
	}
}

// TestRedisHangs is a server that takes connections and never answers.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	a, b := running(t, at(s))
	s.Signal(syscall.SIGSTOP)
	a.disconnected(t)
	lost := NewID()
	if err := a.EndSession(t.Context(), lost, inAnHour()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("it was stored: %v", err)
	}
	s.Signal(syscall.SIGCONT)
	b.learns(t, "alice", lost)
	a.connected(t)
}

// TestRedisTakesNoWrites keeps trying to store what it could not.
func TestRedisTakesNoWrites(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	a, b := running(t, at(s))
	if got := s.Do("REPLICAOF", "127.0.0.1", "1"); got != "+OK" {
		t.Fatal(got)
	}
	lost := NewID()
	if err := a.EndSession(t.Context(), lost, inAnHour()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("it was stored: %v", err)
	}
	if got := s.Do("REPLICAOF", "NO", "ONE"); got != "+OK" {
		t.Fatal(got)
	}
	b.learns(t, "alice", lost)
}

// TestGoingOnWithoutRedis is the other policy.
func TestGoingOnWithoutRedis(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	settings := at(s)
	settings.Local = true
	s.Kill()
	a := start(t, settings, "")
	if a.Ready() != nil {
		t.Error("it waits for Redis")
	}
	if first, err := a.Once(t.Context(), "code", inAnHour()); !first || err != nil {
		t.Errorf("a code was not taken: %v, %v", first, err)
	}
	if first, err := a.Once(t.Context(), "code", inAnHour()); first || err != nil {
		t.Errorf("a code was taken twice: %v, %v", first, err)
	}
	gone := NewID()
	a.ends(t, gone)
	s.Start()
	b := start(t, settings, "")
	b.learns(t, "alice", gone)
	a.connected(t)
	if first, err := b.Once(t.Context(), "code", inAnHour()); first || err != nil {
		t.Errorf("a code that was used while Redis was gone was taken: %v, %v", first, err)
	}
}

func TestNotReadyBeforeRedisWasRead(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	s.Kill()
	a := start(t, at(s), "")
	a.disconnected(t)
	if err := a.Ready(); err == nil || !strings.Contains(err.Error(), strconv.Itoa(s.Port)) || strings.Contains(err.Error(), s.Password) {
		t.Errorf("it is ready: %v", err)
	}
	s.Start()
	a.connected(t)
}

// TestChangingWhereSessionsAre takes along what is known: a reload brings nobody back.
func TestChangingWhereSessionsAre(t *testing.T) {
	t.Parallel()
	first, second := sessiontest.Redis(t), sessiontest.Redis(t)
	a := start(t, Settings{}, "")
	var ended []string
	for i, s := range []Settings{{}, at(first), at(first), at(second), {}} {
		a.Configure(s)
		a.connected(t)
		id := NewID()
		a.ends(t, id)
		ended = append(ended, id)
		for _, id := range ended {
			if !a.Ended("alice", id, time.Now()) {
				t.Errorf("%d: an ended session is alive", i)
			}
		}
	}
	b := start(t, at(second), "")
	b.connected(t)
	for i, id := range ended[:4] {
		if !b.Ended("alice", id, time.Now()) {
			t.Errorf("the second Redis does not know end %d", i)
		}
	}
}

// TestWhatWasNotStoredOutlivesTheProcess has a gateway end before Redis is back.
func TestWhatWasNotStoredOutlivesTheProcess(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	journal := filepath.Join(t.TempDir(), "j")
	a := start(t, at(s), journal)
	a.connected(t)
	s.Kill()
	a.disconnected(t)
	lost := NewID()
	if err := a.EndSession(t.Context(), lost, inAnHour()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("it was stored: %v", err)
	}
	a.stop()
	s.Start()
	start(t, at(s), journal)
	b := start(t, at(s), "")
	b.learns(t, "alice", lost)
}

func TestRedisIsBounded(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	a, _ := running(t, at(s))
	far := a.remote.Load()
	args := far.arguments(record{kind: kindSession, id: "x", until: lasting(inAnHour())})
	args[1] = 0
	n, err := endScript.Run(t.Context(), far.client, []string{endedKey}, args...).Int()
	if n != 0 || err != nil {
		t.Errorf("stored more than the bound: %d, %v", n, err)
	}
	args[1] = 1
	if n, err = endScript.Run(t.Context(), far.client, []string{endedKey}, args...).Int(); n != 1 || err != nil {
		t.Errorf("not stored: %d, %v", n, err)
	}
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	s := sessiontest.Redis(t)
	a, _ := running(t, at(s))
	settings := at(s)
	settings.Redis.DB = 2
	b, c := running(t, settings)
	must(t, a.EndUser(t.Context(), "admin", "", inAnHour()))
	must(t, b.EndUser(t.Context(), "else", "", inAnHour()))
	eventually(t, "what came after it is there", func() bool { return c.Ended("else", "", time.Time{}) })
	if c.Ended("admin", "", time.Time{}) {
		t.Error("another platform's users are logged out")
	}
}
