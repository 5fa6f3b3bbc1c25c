package module

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/hostabi"
)

// endless answers at once and then goes on for ever.
func endless(t testing.TB) []byte {
	return assembly{
		imports: [][2]string{{hostabi.ModuleCore, "response_end"}}, types: []byte{0},
		code: []byte{opLocalGet, 0, opCall, 0, opDrop, opLoop, noBlockType, opBr, 0, opEnd},
	}.bytes(t)
}

// TestWorkerHoldsItsSlot has a guest go on after its answer: as long as it does, it counts as in flight, or clients that
// do not wait could make any number of instances.
func TestWorkerHoldsItsSlot(t *testing.T) {
	p := Policy{Limits: DefaultLimits()}
	p.Limits.RequestsInFlight, p.Limits.Queue = 1, 0
	p.Limits.CPUPerCall = 500 * time.Millisecond
	g := load(t, engine(t, Services{}), endless(t), p)
	if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 {
		t.Fatalf("first: %d %s", code, body)
	}
	if g.Stats.Traps.Load() == 0 { // else the machine was so slow that the guest has run out of time already
		if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 503 {
			t.Errorf("beside it: %d %s", code, body)
		}
	}
	eventually(t, "the guest runs out of CPU and frees its slot", func() bool { return len(g.admit) == 0 })
	if n, traps := g.Stats.Instances.Load(), g.Stats.Traps.Load(); n != 0 || traps != 1 {
		t.Errorf("%d instances, %d traps", n, traps)
	}
	if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 {
		t.Errorf("the next one: %d %s", code, body)
	}
}

// TestWorkersAreBounded has many clients leave while the guest still works for them.
func TestWorkersAreBounded(t *testing.T) {
	p := Policy{Limits: DefaultLimits()}
	p.Limits.RequestsInFlight, p.Limits.CPUPerCall = 3, 50*time.Millisecond
	g := load(t, engine(t, Services{}), endless(t), p)
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			ask(t, "/kapis/test.postern.io/v1/x", g.Serve)
			if n := g.Stats.Instances.Load(); n > 3 {
				t.Errorf("%d instances", n)
			}
		})
	}
	all.Wait()
}

// TestWorkersOutliveClients has clients leave before, while and after their request is served: every slot comes back.
func TestWorkersOutliveClients(t *testing.T) {
	p := Policy{Limits: DefaultLimits()}
	p.Limits.RequestsInFlight = 2
	g := load(t, engine(t, Services{}), saying(t, "hello", ""), p)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				peer := new(exchange.Peer)
				var leaving sync.WaitGroup
				leaving.Go(peer.Hangup)
				askAs(peer, "/kapis/test.postern.io/v1/x", g.Serve)
				leaving.Wait()
			}
		})
	}
	all.Wait()
	eventually(t, "all slots are free", func() bool { return len(g.admit) == 0 })
	if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 || body != "hello" {
		t.Errorf("got %d %q", code, body)
	}
}

// TestWorkerSeesNoOldCompletions has a guest leave calls behind: the next request must not be told of them.
func TestWorkerSeesNoOldCompletions(t *testing.T) {
	g := load(t, engine(t, Services{}), assembly{
		imports: [][2]string{{hostabi.ModuleCore, "completions"}, {hostabi.ModuleCore, "sleep"}}, types: []byte{1, 1},
		code: instructions(
			i32(0), i32(16), []byte{opCall, 0, opIf, noBlockType, opUnreachable, opEnd},
			[]byte{opLocalGet, 0}, i32(0), []byte{opCall, 1, opDrop},
		),
	}.bytes(t), Policy{Limits: DefaultLimits()})
	for range 300 {
		if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 {
			t.Fatalf("got %d %s", code, body)
		}
	}
	eventually(t, "no call is under way", func() bool { return g.calls.Load() == 0 })
}

// TestTableIsBounded has a guest ask for 8 GiB of the host's memory by way of a table without a limit.
func TestTableIsBounded(t *testing.T) {
	grow := assembly{
		tables: []byte{1, 0x70, 0, 1},
		code: instructions(
			[]byte{0xd0, 0x70}, i32(1<<30), []byte{0xfc, 15, 0}, i32(-1), []byte{opI32Ne, opIf, noBlockType, opUnreachable, opEnd},
			[]byte{0xd0, 0x70}, i32(1000), []byte{0xfc, 15, 0}, i32(1), []byte{opI32Ne, opIf, noBlockType, opUnreachable, opEnd},
		),
	}
	g := load(t, engine(t, Services{}), grow.bytes(t), Policy{Limits: DefaultLimits()})
	if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 {
		t.Errorf("got %d %s", code, body)
	}
	grow.tables = []byte("\x01\x70\x00\x80\x80\x80\x80\x08") // 2 Gi elements from the start
	if _, err := engine(t, Services{}).Load(context.Background(), grow.bytes(t), plain); err == nil || !strings.Contains(err.Error(), "table") {
		t.Errorf("got %v", err)
	}
}

func plain(string) Policy { return Policy{Limits: DefaultLimits()} }

// TestFailedInstanceLeavesNoMemory has a module fail after its memory was made.
func TestFailedInstanceLeavesNoMemory(t *testing.T) {
	e := engine(t, Services{})
	broken := assembly{data: instructions([]byte{1, 0}, i32(1<<20), []byte{opEnd, 1, 'x'})} // beyond its one page
	img, err := e.compile(context.Background(), broken.bytes(t), plain)
	if err != nil {
		t.Fatal(err)
	}
	g := &Generation{engine: e, image: img, policy: plain("")}
	g.settle()
	g.log = g.newLog()
	for range 3 {
		if _, err := newInstance(g); err == nil {
			t.Fatal("a data segment outside memory passes")
		}
	}
	if m, n := g.Stats.Memory.Load(), g.Stats.Instances.Load(); m != 0 || n != 0 {
		t.Errorf("%d bytes, %d instances are left", m, n)
	}
	if err := img.compiled.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestNoHotBirths has instances fail to start: requests are told so, and do not each try again.
func TestNoHotBirths(t *testing.T) {
	g := load(t, engine(t, Services{}), endless(t), Policy{Limits: DefaultLimits()})
	g.workers.close()              // the first instance, which passed
	g.limits.Memory = pageSize / 2 // no other will
	g.workers.idle = nil
	before := g.births.tries
	for range 50 {
		if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 502 || !strings.Contains(body, "instantiate") {
			t.Fatalf("got %d %s", code, body)
		}
	}
	if n := g.births.tries - before; n > 10 { // 100 ms, doubled up to 2 s: ten tries take 13 s
		t.Errorf("%d instances were tried for 50 requests", n)
	}
	g.births.mu.Lock()
	g.births.until = time.Time{} // the pause is over
	g.births.mu.Unlock()
	g.limits.Memory = DefaultLimits().Memory
	if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 {
		t.Errorf("after the pause: %d %s", code, body)
	}
}
