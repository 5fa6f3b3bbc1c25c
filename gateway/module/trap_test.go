package module

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/hostabi"
)

// opI32DivU divides; it traps when the divisor is zero.
const opI32DivU = 0x6e

// opI32Load reads memory.
const opI32Load = 0x28

// deep calls itself for ever: postern_handle is function 0, as there are no imports.
func deep(t testing.TB) []byte {
	return assembly{code: []byte{opLocalGet, 0, opCall, 0}}.bytes(t)
}

// TestTrapKinds has guests fail in every way: the client gets a Status, the instance goes, the kind is counted, and requests of
// another module never notice.
func TestTrapKinds(t *testing.T) {
	e := engine(t, Services{Prometheus: answering{}})
	other := load(t, e, saying(t, "fine", "name: other\nversion: \"1\"\nserves: [{group: test.postern.io, versions: [v1]}]\n"), plain(""))
	ctx, stop := context.WithCancel(context.Background())
	var beside sync.WaitGroup
	for range 2 {
		beside.Go(func() {
			for ctx.Err() == nil {
				if code, body := ask(t, "/kapis/test.postern.io/v1/x", other.Serve); code != 200 || body != "fine" {
					t.Errorf("the other module: %d %q", code, body)
				}
			}
		})
	}
	defer beside.Wait()
	defer stop()
	mischief := build(t, "testdata/mischief")
	for _, c := range []struct {
		kind TrapKind
		wasm []byte
		path string
	}{
		{TrapUnreachable, assembly{code: []byte{opUnreachable}}.bytes(t), "x"},
		{TrapArithmetic, assembly{code: instructions(i32(1), i32(0), []byte{opI32DivU, opDrop})}.bytes(t), "x"},
		{TrapBounds, assembly{code: instructions(i32(-4), []byte{opI32Load, 2, 0, opDrop})}.bytes(t), "x"},
		{TrapStack, deep(t), "x"},
		{TrapDeadlock, build(t, "testdata/deadlock"), "x"},
		{TrapPanic, mischief, "panic"},
		{TrapExit, mischief, "exit"},
		{TrapMemory, mischief, "eat"},
		{TrapCPU, mischief, "loop"},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			p := granted()
			if c.kind != TrapCPU {
				p.Limits.CPUPerCall, p.Limits.Deadline = 20*time.Second, time.Minute // the machine may be busy
			}
			g := load(t, e, c.wasm, p)
			for n := range int64(2) { // the second one has a new instance
				code, body := ask(t, "/kapis/test.postern.io/v1/"+c.path, g.Serve)
				if code != 502 || !strings.Contains(body, `"kind":"Status"`) || !strings.Contains(body, "failed") {
					t.Errorf("got %d %s", code, body)
				}
				counters := g.Stats.Load()
				if got := counters.TrapsByKind()[c.kind.String()]; got != n+1 || counters.Traps != n+1 {
					t.Errorf("%v, want %d of %v", counters.TrapsByKind(), n+1, c.kind)
				}
			}
			eventually(t, "the instances are gone", func() bool { return g.Stats.Instances.Load() == 0 })
		})
	}
}

// TestWildPointers has a guest give host functions ranges outside its memory: each is refused, none costs the instance.
func TestWildPointers(t *testing.T) {
	wild := func(name string, typ byte, args ...[]byte) []byte {
		return instructions(append(append([][]byte{}, args...), []byte{opCall, typ}, i32(-int32(hostabi.BadArgument)), []byte{opI32Ne, opIf, noBlockType, opUnreachable, opEnd})...)
	}
	ex := []byte{opLocalGet, 0}
	guest := assembly{
		imports: [][2]string{
			{hostabi.ModuleCore, "completions"},
			{hostabi.ModuleCore, "response_write"},
			{hostabi.ModuleCore, "handle_new"},
			{hostabi.ModuleCore, "settings"},
		},
		types: []byte{1, 2, 2, 1},
		code: instructions(
			wild("response_write", 1, ex, i32(65530), i32(100)),
			wild("response_write", 1, ex, i32(-1), i32(-1)),
			wild("handle_new", 2, ex, i32(-65536), i32(1)),
			wild("handle_new", 2, ex, i32(0), i32(-1)),
			wild("settings", 3, i32(65535), i32(1000)),
		),
	}
	g := load(t, engine(t, Services{}), guest.bytes(t), plain(""))
	for range 3 {
		if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 {
			t.Errorf("got %d %s", code, body)
		}
	}
	if made, traps := g.Stats.Born.Load(), g.Stats.Traps.Load(); made != 1 || traps != 0 {
		t.Errorf("%d instances, %d traps", made, traps)
	}
}

// TestKindOf has what real guests cannot be made to say.
func TestKindOf(t *testing.T) {
	if k := kindOf(errors.New("the host broke"), TrapOther); k != TrapOther {
		t.Errorf("got %v", k)
	}
	i := new(instance)
	i.heard(hostabi.LevelInfo, []byte("panic: on stdout"))
	i.heard(hostabi.LevelError, []byte("fatal error: all goroutines are asleep - deadlock!"))
	i.heard(hostabi.LevelError, []byte("panic: later"))
	if i.says != TrapDeadlock {
		t.Errorf("heard %v", i.says)
	}
}
