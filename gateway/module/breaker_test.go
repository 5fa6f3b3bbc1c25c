package module

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/module/moduletest/guests"
	"github.com/posternhq/postern/hostabi"
)

var tight = BreakerLimits{Traps: 3, Window: time.Second, Pause: time.Second, MaxPause: 4 * time.Second}

// after is a moment of a test's own clock.
func after(d time.Duration) time.Time { return time.Unix(1000, 0).Add(d) }

// TestBreakerOpens counts traps within the window only.
func TestBreakerOpens(t *testing.T) {
	b := &breaker{limits: tight}
	for n := range 100 { // one each 600 ms: never three within a second
		if b.trap(after(time.Duration(n)*600*time.Millisecond), "x") {
			t.Fatalf("opened at trap %d", n)
		}
	}
	begin := time.Hour
	if b.trap(after(begin), "x") || b.trap(after(begin+time.Millisecond), "x") || !b.trap(after(begin+2*time.Millisecond), "why") {
		t.Fatal("not opened by three at once")
	}
	if ok, _ := b.pass(after(begin + 500*time.Millisecond)); ok {
		t.Error("passes while it is open")
	}
	wait, why := b.left(after(begin + 2*time.Millisecond))
	if wait < 750*time.Millisecond || wait > 1250*time.Millisecond || why != "why" {
		t.Errorf("%v, %q", wait, why)
	}
	if b.trap(after(begin+3*time.Millisecond), "x") {
		t.Error("opened again while it is open")
	}
}

// TestBreakerProbes has probes fail, say nothing, and succeed.
func TestBreakerProbes(t *testing.T) {
	b, now := &breaker{limits: tight}, time.Duration(0)
	open := func() {
		for range 3 {
			b.trap(after(now), "x")
		}
	}
	probe := func(code hostabi.Code) {
		t.Helper()
		wait, _ := b.left(after(now))
		now += wait
		if ok, probe := b.pass(after(now)); !ok || !probe {
			t.Fatalf("no probe after the pause: %v %v", ok, probe)
		}
		if ok, _ := b.pass(after(now)); ok {
			t.Fatal("two probes at once")
		}
		b.judge(after(now), code)
	}
	between := func(low, high time.Duration) {
		t.Helper()
		if wait, _ := b.left(after(now)); wait < low || wait > high {
			t.Errorf("waits %v, want %v to %v", wait, low, high)
		}
	}
	open()
	probe(hostabi.Internal)
	between(1500*time.Millisecond, 2500*time.Millisecond)
	probe(hostabi.Canceled) // nothing is known: the next request is the probe
	between(0, 0)
	probe(hostabi.Internal)
	between(3*time.Second, 4*time.Second)
	probe(hostabi.Internal)
	between(3*time.Second, 4*time.Second) // no longer than MaxPause
	probe(hostabi.OK)
	if ok, probe := b.pass(after(now)); !ok || probe {
		t.Error("not closed by a success")
	}
	open()
	between(3*time.Second, 4*time.Second) // it was not well for long
	probe(hostabi.OK)
	now += time.Minute
	open()
	between(750*time.Millisecond, 1250*time.Millisecond)
}

// TestBreakerOff never opens.
func TestBreakerOff(t *testing.T) {
	b := new(breaker)
	for range 10_000 {
		if b.trap(after(0), "x") {
			t.Fatal("opened")
		}
	}
	if n := testing.AllocsPerRun(100, func() { b.pass(after(0)) }); n != 0 {
		t.Errorf("%v allocations to pass", n)
	}
}

// TestModuleComesBack has a real guest trap until it is left alone: it hears of no request meanwhile, and serves again by itself
// as soon as it works.
func TestModuleComesBack(t *testing.T) {
	const failing, well = "/kapis/test.postern.io/v1/alone", "/kapis/test.postern.io/v1/alone?please"
	p := granted()
	p.Limits.Breaker = BreakerLimits{Traps: 3, Window: time.Minute, Pause: 50 * time.Millisecond, MaxPause: 100 * time.Millisecond}
	e := engine(t, Services{})
	g := load(t, e, build(t, "testdata/mischief"), p)
	var told atomic.Int64
	g.OnBroken(func(why error) {
		if strings.Contains(why.Error(), "unreachable") {
			told.Add(1)
		}
	})
	for range 3 {
		if code, body := ask(t, failing, g.Serve); code != 502 {
			t.Fatalf("got %d %s", code, body)
		}
	}
	if told.Load() != 1 || g.Stats.Opened.Load() != 1 || g.BreakerState().State == "closed" {
		t.Fatalf("told %d times, opened %d times, %+v", told.Load(), g.Stats.Opened.Load(), g.BreakerState())
	}
	made := g.Stats.Born.Load()
	g.breaker.mu.Lock()
	g.breaker.until = time.Now().Add(time.Hour) // however slow the machine is
	g.breaker.mu.Unlock()
	for range 20 {
		ctx := guests.Run(nil, well, g.Serve)
		after, err := strconv.Atoi(string(ctx.Response.Header.Peek("Retry-After")))
		if ctx.Response.StatusCode() != 503 || err != nil || after < 1 || !strings.Contains(string(ctx.Response.Body()), "unreachable") {
			t.Fatalf("got %d, Retry-After %d, %s", ctx.Response.StatusCode(), after, ctx.Response.Body())
		}
	}
	if g.Stats.Born.Load() != made || g.Stats.Shed.Load() != 20 {
		t.Errorf("%d instances made meanwhile, %d requests refused", g.Stats.Born.Load()-made, g.Stats.Shed.Load())
	}
	g.breaker.mu.Lock()
	g.breaker.until = time.Now()
	g.breaker.mu.Unlock()
	if code, _ := ask(t, failing, g.Serve); code != 502 || g.BreakerState().State != "open" {
		t.Errorf("a probe that fails: %d, %+v", code, g.BreakerState())
	}
	eventually(t, "it serves again", func() bool { code, _ := ask(t, well, g.Serve); return code == 200 })
	if s := g.BreakerState(); s.State != "closed" {
		t.Errorf("%+v", s)
	}
	if code, _ := ask(t, failing, g.Serve); code != 502 {
		t.Errorf("one trap more: %d", code)
	}
	if code, _ := ask(t, well, g.Serve); code != 200 {
		t.Errorf("after it: %d", code)
	}
	var said []string
	for _, l := range e.Totals("mischief").Log.Last(keptLines) {
		said = append(said, l.Message)
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "requests are refused for") || !strings.Contains(all, "works again") {
		t.Errorf("the log says nothing of it: %s", all)
	}
}

// TestOneProbe has many clients ask at the end of the pause: one of them reaches the guest.
func TestOneProbe(t *testing.T) {
	p := plain("")
	p.Limits.Breaker = BreakerLimits{Traps: 1, Window: time.Second, Pause: time.Hour, MaxPause: time.Hour}
	g := load(t, engine(t, Services{}), guests.Trapping(t, ""), p)
	ask(t, "/kapis/test.postern.io/v1/x", g.Serve)
	g.breaker.mu.Lock()
	g.breaker.until = time.Now()
	g.breaker.mu.Unlock()
	var all sync.WaitGroup
	var probes atomic.Int64
	for range 20 {
		all.Go(func() {
			if code, _ := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code == 502 {
				probes.Add(1)
			}
		})
	}
	all.Wait()
	if n := probes.Load(); n != 1 {
		t.Errorf("%d probes", n)
	}
}
