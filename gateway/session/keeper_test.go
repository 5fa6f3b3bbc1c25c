package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func newKeeper(s Settings) *Keeper { return New(Options{Settings: s, Log: zerolog.Nop()}) }

func inAnHour() time.Time { return time.Now().Add(time.Hour) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEndSession(t *testing.T) {
	k := newKeeper(Settings{})
	a, b := NewID(), NewID()
	before := k.Epoch()
	if k.Ended("alice", a, time.Now()) {
		t.Error("ended before it was")
	}
	must(t, k.EndSession(t.Context(), a, inAnHour()))
	if !k.Ended("alice", a, time.Now()) || k.Ended("alice", b, time.Now()) || k.Ended("alice", "", time.Now()) {
		t.Error("not that session and no other")
	}
	if k.Epoch() == before {
		t.Error("the epoch is the same, so verified tokens would go on")
	}
	after := k.Epoch()
	must(t, k.EndSession(t.Context(), a, time.Now().Add(time.Minute)))
	if k.Epoch() != after {
		t.Error("ending it again is news")
	}
	must(t, k.EndSession(t.Context(), b, time.Now().Add(-time.Hour)))
	if k.Ended("alice", b, time.Now()) {
		t.Error("remembers what is over anyway")
	}
}

func TestEndUser(t *testing.T) {
	k := newKeeper(Settings{})
	old, kept := NewID(), NewID()
	foreign := time.Now()
	must(t, k.EndUser(t.Context(), "alice", kept, inAnHour()))
	young := NewID()
	for name, c := range map[string]struct {
		user, session string
		issued        time.Time
		want          bool
	}{
		"a session of before":             {"alice", old, time.Now(), true},
		"refreshed since":                 {"alice", old, time.Now().Add(time.Minute), true},
		"the one to keep":                 {"alice", kept, foreign, false},
		"begun since":                     {"alice", young, time.Now().Truncate(time.Second), false},
		"another user's":                  {"bob", old, foreign, false},
		"without a session, of before":    {"alice", "", foreign, true},
		"of a foreign session, of before": {"alice", "x", foreign, true},
		"without a session, of later":     {"alice", "", time.Now().Add(time.Second), false},
		"without a time":                  {"alice", "", time.Time{}, true},
	} {
		if got := k.Ended(c.user, c.session, c.issued); got != c.want {
			t.Errorf("%s: ended %v", name, got)
		}
	}
	must(t, k.EndUser(t.Context(), "alice", "", inAnHour()))
	if !k.Ended("alice", kept, time.Now()) || !k.Ended("alice", young, time.Now()) {
		t.Error("ending all has not ended all")
	}
}

// TestEndedStaysEnded has somebody whose session has ended keep it while ending the others.
func TestEndedStaysEnded(t *testing.T) {
	k := newKeeper(Settings{})
	mine, stolen := NewID(), NewID()
	must(t, k.EndUser(t.Context(), "alice", mine, inAnHour()))
	must(t, k.EndUser(t.Context(), "alice", stolen, inAnHour()))
	if !k.Ended("alice", stolen, time.Now()) {
		t.Error("an ended session is alive again")
	}
}

func TestOneLoginOfSeveralAtOnceStays(t *testing.T) {
	k := newKeeper(Settings{})
	const logins = 20
	var all sync.WaitGroup
	ids := make([]string, logins)
	for i := range ids {
		all.Go(func() {
			ids[i] = NewID()
			if err := k.EndOlder(context.Background(), "alice", ids[i], inAnHour()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	alive := 0
	for _, id := range ids {
		if !k.Ended("alice", id, time.Now()) {
			alive++
		}
	}
	if alive != 1 {
		t.Errorf("%d sessions are alive, not 1", alive)
	}
	if err := k.EndOlder(t.Context(), "alice", "foreign", inAnHour()); err == nil {
		t.Error("a session that does not tell its time was taken")
	}
}

func TestOnce(t *testing.T) {
	k := newKeeper(Settings{})
	var first atomic.Int32
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if ok, err := k.Once(context.Background(), "code", inAnHour()); ok && err == nil {
				first.Add(1)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 {
		t.Errorf("%d were first", first.Load())
	}
	if k.Epoch() != 0 {
		t.Error("a used code makes verified tokens be checked again")
	}
	if _, err := k.Once(t.Context(), "", inAnHour()); err == nil {
		t.Error("an empty id was taken")
	}
	if _, err := k.Once(t.Context(), string(make([]byte, maxName+1)), inAnHour()); err == nil {
		t.Error("an endless id was taken")
	}
}

func TestTablesAreBounded(t *testing.T) {
	now := time.Now().UnixMilli()
	table := newTable[until](100)
	for i := range 100 {
		if _, room := later(table, fmt.Sprint("old", i), until(now+1), now); !room {
			t.Fatal("no room")
		}
	}
	if _, room := later(table, "one more", until(now+10), now); room {
		t.Error("more than the bound")
	}
	if news, room := later(table, "old1", until(now+10), now); !room || !news {
		t.Error("what is known cannot be changed when the table is full")
	}
	if _, room := later(table, "one more", until(now+10), now+5); !room {
		t.Error("what is over keeps its place")
	}
	if n := table.size.Load(); n != 2 {
		t.Errorf("%d entries are counted, not 2", n)
	}
	k := newKeeper(Settings{})
	k.memory.once.max = 0
	if first, err := k.Once(t.Context(), "x", inAnHour()); first || !errors.Is(err, ErrFull) {
		t.Errorf("a full store said %v, %v", first, err)
	}
}

func TestThrottle(t *testing.T) {
	k := newKeeper(Settings{MaxTries: 3, AddressTries: 5, Window: time.Hour})
	ctx := t.Context()
	fail := func(n int, user, address string) {
		for range n {
			k.Failed(ctx, user, address)
		}
	}
	fail(2, "alice", "192.0.2.1")
	if w := k.Wait(ctx, "alice", "192.0.2.1"); w != 0 {
		t.Errorf("waits %v after two failures of three", w)
	}
	fail(1, "alice", "192.0.2.1")
	if w := k.Wait(ctx, "alice", "192.0.2.9"); w <= 59*time.Minute || w > time.Hour {
		t.Errorf("a locked user waits %v", w)
	}
	if w := k.Wait(ctx, "bob", "192.0.2.1"); w != 0 {
		t.Errorf("another user waits %v", w)
	}
	fail(2, "bob", "192.0.2.1")
	if k.Wait(ctx, "carol", "192.0.2.1") == 0 || k.Wait(ctx, "carol", "::ffff:192.0.2.1") == 0 {
		t.Error("an address with five failures is not locked")
	}
	k.Succeeded(ctx, "alice", "192.0.2.1")
	if k.Wait(ctx, "alice", "") != 0 || k.Wait(ctx, "alice", "192.0.2.1") == 0 {
		t.Error("a success forgets the user's failures, and not the address's")
	}
	for i := range 5 {
		k.Failed(ctx, "", fmt.Sprintf("2001:db8::%d", i+1))
	}
	if k.Wait(ctx, "", "2001:db8::ffff") == 0 || k.Wait(ctx, "", "2001:db8:0:1::1") != 0 {
		t.Error("IPv6 is counted by /64")
	}
	k.Configure(Settings{MaxTries: 0, Window: time.Hour})
	if k.Wait(ctx, "", "192.0.2.1") != 0 {
		t.Error("no limit limits")
	}
}

func TestFailuresAreOverInTime(t *testing.T) {
	s := Settings{MaxTries: 2, Window: time.Minute}
	f, now := newFailures(), time.Now()
	alice := s.tries("alice", "")
	f.add(alice, now)
	f.add(alice, now.Add(50*time.Second))
	if w := f.wait(alice, now.Add(50*time.Second)); w != time.Minute {
		t.Errorf("waits %v, not a minute from the last failure", w)
	}
	if w := f.wait(alice, now.Add(111*time.Second)); w > 0 {
		t.Errorf("still waits %v", w)
	}
	f.add(alice, now.Add(112*time.Second))
	if w := f.wait(alice, now.Add(112*time.Second)); w > 0 {
		t.Errorf("one failure after the lock locks again: %v", w)
	}
}

func TestFailuresAreBounded(t *testing.T) {
	s := Settings{MaxTries: 2, Window: time.Minute}
	f, now := newFailures(), time.Now()
	locked := s.tries("locked", "")
	f.add(locked, now)
	f.add(locked, now)
	for i := range failureShards*failureMost + 2000 {
		f.add(s.tries(fmt.Sprint("user", i), ""), now)
	}
	total := 0
	for i := range f.shards {
		total += len(f.shards[i].counts)
	}
	if total > failureShards*failureMost {
		t.Errorf("%d counters", total)
	}
	if f.wait(locked, now) == 0 {
		t.Error("strangers have pushed a lock out")
	}
}
