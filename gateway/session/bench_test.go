package session

import (
	"fmt"
	"testing"
	"time"
)

// ended is a Keeper in which n sessions and the sessions of n/10 users have ended.
func ended(t testing.TB, n int) (*Keeper, []string) {
	t.Helper()
	k, now := newKeeper(Settings{}), time.Now()
	sessions := make([]string, n)
	for i := range sessions {
		sessions[i] = NewID()
		r := record{kind: kindSession, id: sessions[i], until: lasting(now.Add(time.Hour))}
		if i%10 == 0 {
			r = record{kind: kindUser, id: fmt.Sprint("user", i), before: now.UnixNano(), until: r.until}
			r2 := record{kind: kindSession, id: sessions[i], until: r.until}
			if _, err := k.memory.learn(r2, now.UnixMilli()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := k.memory.learn(r, now.UnixMilli()); err != nil {
			t.Fatal(err)
		}
	}
	return k, sessions
}

func BenchmarkEnded(b *testing.B) {
	for _, n := range []int{0, 1000, 100_000} {
		k, sessions := ended(b, n)
		issued := time.Now()
		b.Run(fmt.Sprintf("alive/%d", n), func(b *testing.B) {
			id := NewID()
			b.ReportAllocs()
			for b.Loop() {
				if k.Ended("alice", id, issued) {
					b.Fatal("ended")
				}
			}
		})
		if n == 0 {
			continue
		}
		b.Run(fmt.Sprintf("ended/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if !k.Ended("alice", sessions[i%n], issued) {
					b.Fatal("alive")
				}
			}
		})
		b.Run(fmt.Sprintf("parallel/%d", n), func(b *testing.B) {
			id := sessions[n/2]
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_ = k.Ended("alice", id, issued)
				}
			})
		})
	}
}
