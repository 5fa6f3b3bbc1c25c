package fuel

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"github.com/posternhq/postern/gateway/module/binary"
)

// endless are guests that never return.
func endless() map[string][]byte {
	tight := single(nil, nil, 0, opLoop, blockEmpty, opBr, 0, opEnd)
	conditional := single(nil, nil, 0, opLoop, blockEmpty, opI32Const, 1, opBrIf, 0, opEnd)
	table := single(nil, nil, 0, opLoop, blockEmpty, opI32Const, 0, opBrTable, 0, 0, opEnd)
	operands := &asm{}
	operands.sig([]byte{i32}, nil)
	operands.export("run", binary.KindFunc, operands.fn(operands.sig(nil, nil), 0,
		opI32Const, 7, opLoop, 0, opBr, 0, opEnd))
	outer := single(nil, nil, 0, opLoop, blockEmpty, opBlock, blockEmpty, opLoop, blockEmpty, opBr, 2, opEnd, opEnd, opEnd)

	// run calls itself twice until 60 calls deep: 2⁶⁰ calls, no loop, a small stack.
	twice := &asm{}
	deep := []byte{0x20, 0, 0x45, opIf, blockEmpty, 0x0f, opEnd} // if the argument is 0: return
	once := []byte{0x20, 0, opI32Const, 1, opI32Sub, opCall, 0}
	twice.fn(twice.sig([]byte{i32}, nil), 0, cat(deep, once, once)...)
	twice.export("run", binary.KindFunc, twice.fn(twice.sig(nil, nil), 0, opI32Const, 60, opCall, 0))

	// The same through a table: functions 0 and 1 call each other by call_indirect.
	mutual := &asm{tables: [][]byte{{binary.TypeFuncref, 0, 2}}, elems: [][]byte{{0, opI32Const, 0, opEnd, 2, 0, 1}}}
	mutual.sig([]byte{i32}, nil)
	for other := range byte(2) {
		indirect := []byte{0x20, 0, opI32Const, 1, opI32Sub, opI32Const, 1 - other, opCallIndirect, 0, 0}
		mutual.fn(0, 0, cat(deep, indirect, indirect)...)
	}
	mutual.export("run", binary.KindFunc, mutual.fn(mutual.sig(nil, nil), 0, opI32Const, 60, opCall, 0))

	// 60 functions, each calls the next one twice: no recursion at all.
	cascade := &asm{}
	void := cascade.sig(nil, nil)
	for f := range byte(60) {
		cascade.fn(void, 0, opCall, f+1, opCall, f+1)
	}
	cascade.fn(void, 0, 0x01)
	cascade.export("run", binary.KindFunc, 0)

	return map[string][]byte{
		"br": tight, "br_if": conditional, "br_table": table, "loop with operands": operands.bytes(), "br to outer": outer,
		"recursion": twice.bytes(), "recursion through a table": mutual.bytes(), "cascade of calls": cascade.bytes(),
	}
}

// The property that all this is for: while the guest runs, a garbage collection of the host ends, and then the guest is
// stopped. A guest without preemption points would hang the process here, test timeout included.
func TestEndlessGuestLetsTheHostCollectAndStops(t *testing.T) {
	guests := endless()
	guests["Go"] = goGuest
	for name, wasm := range guests {
		t.Run(name, func(t *testing.T) {
			export := "run"
			if name == "Go" {
				export = "spin"
			}
			stopWhileCollecting(t, mustRewrite(t, wasm, Options{}), export)
		})
	}
}

func stopWhileCollecting(t *testing.T, wasm []byte, export string) {
	running := make(chan struct{})
	var collected atomic.Bool
	var once sync.Once
	var collecting sync.WaitGroup
	h := host{}
	m := h.mustStart(t, wasm)
	deadline := time.Now().Add(20 * time.Millisecond)
	h.spend = func() {
		once.Do(func() { close(running) })
		if collected.Load() && time.Now().After(deadline) {
			panic(errStopped)
		}
	}
	collecting.Go(func() {
		<-running
		runtime.GC()
		collected.Store(true)
	})
	_, err := m.ExportedFunction(export).Call(context.Background())
	collecting.Wait()
	if !errors.Is(err, errStopped) {
		t.Fatalf("ended with %v, want %v", err, errStopped)
	}
}

// A start function runs before the host has the instance in hand; it is interruptible like the rest.
func TestStartFunctionIsStopped(t *testing.T) {
	a := &asm{start: []byte{0}}
	a.fn(a.sig(nil, nil), 0, opLoop, blockEmpty, opBr, 0, opEnd)
	h := host{}
	h.spend = func() {
		if h.spends == 5 {
			panic(errStopped)
		}
	}
	if _, err := h.start(t, mustRewrite(t, a.bytes(), Options{}), wazero.NewRuntimeConfig()); !errors.Is(err, errStopped) {
		t.Fatalf("ended with %v, want %v", err, errStopped)
	}
}

// Steps do not depend on how often the host is called.
func TestStepsAreExact(t *testing.T) {
	t.Run("compiler", func(t *testing.T) { exactSteps(t, wazero.NewRuntimeConfig()) })
	t.Run("interpreter", func(t *testing.T) { exactSteps(t, wazero.NewRuntimeConfigInterpreter()) })
}

func exactSteps(t *testing.T, rc wazero.RuntimeConfig) {
	// run(n): do n = n-1 while n != 0
	wasm := single([]byte{i32}, nil, 0,
		opLoop, blockEmpty, 0x20, 0, opI32Const, 1, opI32Sub, 0x22, 0, opBrIf, 0, opEnd)
	for _, interval := range []int32{1, 7, 1000, 1 << 20} {
		h := host{}
		m, err := h.start(t, mustRewrite(t, wasm, Options{Interval: interval}), rc)
		if err != nil {
			t.Fatal(err)
		}
		fuel := m.ExportedGlobal(GlobalExport)
		before := int32(fuel.Get())
		call(t, m, "run", 10_000)
		steps := h.spends*int(interval) + int(before) - int(int32(fuel.Get()))
		if steps != 9_999 {
			t.Errorf("interval %d: %d steps, want one for each of the 9999 back-edges", interval, steps)
		}
	}
}

// Long straight code counts for more than one step, or a loop around it would run long between two calls of the host.
func TestLongBodiesWeighMore(t *testing.T) {
	nops := make([]byte, 64<<10)
	for i := range nops {
		nops[i] = 0x01
	}
	body := cat([]byte{opLoop, blockEmpty}, nops,
		[]byte{0x20, 0, opI32Const, 1, opI32Sub, 0x22, 0, opBrIf, 0, opEnd})
	h := host{}
	call(t, h.mustStart(t, mustRewrite(t, single([]byte{i32}, nil, 0, body...), Options{Interval: 17})), "run", 100)
	if h.spends < 99 {
		t.Errorf("%d calls of the host in 99 rounds of 64 KiB, want one a round", h.spends)
	}
}

// A loop at the start of a function counts for its entry too, but not for the long code behind the loop.
func TestCodeBehindAnEntryLoopCounts(t *testing.T) {
	a := &asm{}
	void := a.sig(nil, nil)
	nops := make([]byte, 64<<10)
	for i := range nops {
		nops[i] = 0x01
	}
	once := []byte{opLoop, blockEmpty, opBlock, blockEmpty, opI32Const, 1, opBrTable, 1, 1, 0, opEnd, opEnd}
	a.fn(void, 0, cat(once, nops)...)
	a.export("run", binary.KindFunc, a.fn(void, 0, opCall, 0))
	h := host{}
	call(t, h.mustStart(t, mustRewrite(t, a.bytes(), Options{Interval: 17})), "run")
	if h.spends == 0 {
		t.Error("no call of the host in 64 KiB of code")
	}
}

// A bulk instruction counts by its size, or else 1,000 of the largest would pass between two calls of the host.
func TestBulkInstructionsCountBySize(t *testing.T) {
	a := &asm{mems: [][]byte{{0, 64}}, datas: [][]byte{cat([]byte{1}, text("data"))}, dataCount: true}
	size := []byte{0x20, 0}
	at := []byte{opI32Const, 0}
	sig := a.sig([]byte{i32}, nil)
	a.export("fill", binary.KindFunc, a.fn(sig, 0, cat(at, []byte{opI32Const, 7}, size, []byte{opMisc, 11, 0})...))
	a.export("copy", binary.KindFunc, a.fn(sig, 0, cat(at, at, size, []byte{opMisc, 10, 0, 0})...))
	a.export("init", binary.KindFunc, a.fn(sig, 0, cat(at, at, size, []byte{opMisc, 8, 0, 0})...))
	h := host{}
	m := h.mustStart(t, mustRewrite(t, a.bytes(), Options{Interval: 10}))
	for _, export := range []string{"fill", "copy"} {
		h.spends = 0
		call(t, m, export, 4<<20)
		if h.spends < 25 || h.spends > 26 { // 4 MiB are 256 steps of 16 KiB
			t.Errorf("%s: %d calls of the host, want 25 or 26", export, h.spends)
		}
	}
	h.spend = func() { // calls the guest again, with another size
		h.spend = nil
		call(t, m, "fill", 1)
	}
	call(t, m, "fill", 4<<20)
	if b, _ := m.Memory().ReadByte(4<<20 - 1); b != 7 {
		t.Error("a call from within spend changed the size of a fill")
	}
	h.spends = 0
	if _, err := m.ExportedFunction("init").Call(context.Background(), 1<<32-1); err == nil || h.spends < 26_000 {
		t.Errorf("init of 4 GiB: %d calls of the host and error %v, want the steps and a trap", h.spends, err)
	}
}
