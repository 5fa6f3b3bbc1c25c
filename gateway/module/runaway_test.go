package module

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

// TestRunawayIsStoppedAndAccounted has guests loop for ever, one after the other: each first instance, each copy is stopped
// when its CPU is used up, garbage is collected meanwhile, and what it used is counted.
func TestRunawayIsStoppedAndAccounted(t *testing.T) {
	g := mischief(t, func(p *Policy) { p.Limits.CPUPerCall = 100 * time.Millisecond })
	for range 2 {
		before, steps := time.Duration(g.Stats.GuestTime.Load()), g.Stats.Fuel.Load()
		stop, began := make(chan struct{}), make(chan struct{})
		var collecting sync.WaitGroup
		collecting.Go(func() {
			for first := true; ; first = false {
				runtime.GC() // a guest that cannot be interrupted would keep it from ending
				if first {
					close(began)
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		<-began
		code, body := ask(t, "/kapis/test.postern.io/v1/loop", g.Serve)
		close(stop)
		collecting.Wait()
		if code != 502 {
			t.Fatalf("got %d %s, want 502", code, body)
		}
		eventually(t, "the instance is gone", func() bool { return g.Stats.Instances.Load() == 0 })
		if used := time.Duration(g.Stats.GuestTime.Load()) - before; used < 100*time.Millisecond {
			t.Errorf("%s of CPU are accounted, it was stopped after 100ms", used)
		}
		if g.Stats.Fuel.Load() == steps {
			t.Error("no steps are accounted")
		}
	}
	if code, body := ask(t, "/kapis/test.postern.io/v1/ok", g.Serve); code != 200 {
		t.Errorf("afterwards: %d %s", code, body)
	}
}
