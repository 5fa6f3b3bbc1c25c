package fuel

import (
	"bytes"
	"testing"

	"github.com/posternhq/postern/gateway/module/binary"
)

func TestGoGuestGivesTheSameResults(t *testing.T) {
	var plain, fuelled host
	a, b := plain.mustStart(t, goGuest), fuelled.mustStart(t, mustRewrite(t, goGuest, Options{Interval: 100}))
	for _, c := range []struct {
		name string
		args []uint64
	}{{"size", nil}, {"typed", []uint64{2}}, {"untyped", []uint64{2}}, {"sum", []uint64{3}}, {"fib", []uint64{15}}} {
		want, got := call(t, a, c.name, c.args...), call(t, b, c.name, c.args...)
		if got[0] != want[0] || want[0] == 0 {
			t.Errorf("%s returned %d, without fuel %d", c.name, got[0], want[0])
		}
	}
	if fuelled.spends == 0 || plain.spends != 0 {
		t.Errorf("the host was called %d times, %d without fuel", fuelled.spends, plain.spends)
	}
}

func TestRewriteLeavesItsInputAlone(t *testing.T) {
	before := bytes.Clone(goGuest)
	out := mustRewrite(t, goGuest, Options{})
	if !bytes.Equal(before, goGuest) {
		t.Error("the input changed")
	}
	if len(out) > len(goGuest)*105/100 {
		t.Errorf("%d bytes became %d, want at most 5 %% more", len(goGuest), len(out))
	}
}

func TestNestedLoopsWithOperandsAndTables(t *testing.T) {
	a := &asm{}
	run := a.sig([]byte{i32}, []byte{i64})
	pair := a.sig([]byte{i32, i64}, []byte{i64})  // loop that takes n and sum, and leaves sum
	again := a.sig([]byte{i32, i64}, []byte{i64}) // block inside it
	code := cat(
		[]byte{0x20, 0, opI64Const, 1, opLoop, pair}, // n, sum
		[]byte{0x21, 2, 0x22, 1},                     // sum → 2, n → 1 and stays
		// an inner loop counts the low two bits of n down by br_table
		[]byte{opI32Const, 3, 0x71, 0x21, 3},
		[]byte{opLoop, blockEmpty, opBlock, blockEmpty, opBlock, blockEmpty},
		[]byte{0x20, 2, opI64Const, 3, 0x7e, opI64Const, 1, 0x7c, 0x21, 2}, // sum = 3·sum + 1
		[]byte{0x20, 3, opI32Const, 1, opI32Sub, 0x22, 3},
		[]byte{opBrTable, 3, 2, 2, 1, 0, opEnd, opEnd}, // 0, 1: again; 2: leave; other: leave
		[]byte{0x20, 3, opI32Const, 0, 0x4a, opBrIf, 0, opEnd},
		[]byte{0x20, 1, opI32Const, 1, opI32Sub, 0x22, 1, 0x20, 2},         // n-1, sum
		[]byte{0x20, 1, opI32Const, 0, 0x4a, opBrIf, 0},                    // go on with (n-1, sum) while n > 0
		[]byte{opBlock, again, 0x21, 2, 0x1a, 0x20, 2, opEnd, opEnd, 0x0f}, // drop n
	)
	body := cat([]byte{3, 1, i32, 1, i64, 1, i32}, code, []byte{opEnd})
	a.funcs, a.codes = [][]byte{{run}}, [][]byte{binary.AppendName(nil, string(body))}
	a.export("run", binary.KindFunc, 0)
	for _, n := range []uint64{1, 2, 3, 50} {
		if got := same(t, a.bytes(), "run", n); got[0] == 0 {
			t.Errorf("run(%d) = 0", n)
		}
	}
}

// vec128 is a vector instruction.
func vec128(op byte, immediates ...byte) []byte {
	if op >= 0x80 {
		return cat([]byte{opVector, op, 1}, immediates)
	}
	return cat([]byte{opVector, op}, immediates)
}

func TestVectors(t *testing.T) {
	lanes := make([]byte, 16)
	bytes16 := make([]byte, 16)
	for i := range lanes {
		lanes[i], bytes16[i] = byte(31-2*i), byte(0x03+i) // the constant has bytes that look like block, loop and end
	}
	mem := []byte{4, 16}
	code := cat(
		[]byte{opLoop, blockEmpty},
		[]byte{opI32Const, 0}, vec128(simdConst, bytes16...), vec128(0x0b, mem...), // v128.store
		[]byte{opI32Const, 0}, vec128(0x00, mem...), // v128.load
		[]byte{opI32Const, 0}, vec128(0x5c, 2, 16), // v128.load32_zero
		vec128(0x0d, lanes...),                      // shuffle
		[]byte{0x20, 0}, vec128(0x11), vec128(0xae), // i32x4.splat, i32x4.add
		[]byte{0x20, 0}, vec128(0x1c, 2), // i32x4.replace_lane
		[]byte{0x21, 1, opI32Const, 0, 0x20, 1}, vec128(0x54, 0, 17, 5), // v128.load8_lane
		[]byte{0x21, 1, opI32Const, 0, 0x20, 1}, vec128(0x5b, 3, 32, 1), // v128.store64_lane
	)
	code = cat(code,
		[]byte{0x20, 0, opI32Const, 1, opI32Sub, 0x22, 0, opBrIf, 0, opEnd},
		[]byte{0x20, 1}, vec128(0xa0), vec128(0x1b, 1), // i32x4.abs, i32x4.extract_lane
		[]byte{opI32Const, 0, 0x28, 2, 36, opI32Add}, // i32.load of what was stored
	)
	a := &asm{mems: [][]byte{{0, 1}}}
	body := cat([]byte{1, 1, v128}, code, []byte{opEnd})
	a.funcs, a.codes = [][]byte{{a.sig([]byte{i32}, []byte{i32})}}, [][]byte{binary.AppendName(nil, string(body))}
	a.export("run", binary.KindFunc, 0)
	if got := same(t, a.bytes(), "run", 9); got[0] == 0 {
		t.Error("run(9) = 0")
	}
}

func TestBulkMemoryAndRareInstructions(t *testing.T) {
	a := &asm{mems: [][]byte{{1, 1, 2}}, dataCount: true}
	a.tables = [][]byte{{binary.TypeFuncref, 0, 4}, {binary.TypeExtern, 1, 2, 5}}
	a.datas = [][]byte{
		cat([]byte{1}, text("\x03\x40\x0c\x00 passive")),
		cat([]byte{0, opI32Const, 40, opEnd}, text("active")),
		cat([]byte{2, 0, opI32Const, 50, opEnd}, text("indexed")),
	}
	code := cat(
		[]byte{opI32Const, 8, opI32Const, 0, opI32Const, 4, opMisc, 8, 0, 0, opMisc, 9, 0}, // memory.init, data.drop
		[]byte{opI32Const, 16, opI32Const, 8, opI32Const, 4, opMisc, 10, 0, 0},             // memory.copy
		[]byte{opI32Const, 17, opI32Const, 7, opI32Const, 2, opMisc, 11, 0},                // memory.fill
		[]byte{opI32Const, 0, opRefNull, binary.TypeExtern, opI32Const, 1, opMisc, 17, 1},  // table.fill
		[]byte{opI32Const, 0, opI32Const, 1, opI32Const, 1, opMisc, 14, 1, 1},              // table.copy
		[]byte{opRefNull, binary.TypeExtern, opI32Const, 1, opMisc, 15, 1, 0x1a},           // table.grow
		[]byte{opRefNull, binary.TypeFuncref, 0xd1, 0x1a},                                  // ref.is_null
		[]byte{opF32Const, 0, 0, 0x80, 0x3f, opMisc, 0, 0x1a},                              // saturating truncation
		[]byte{opF64Const, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, opMisc, 2, 0x1a},
		[]byte{opI32Const, 5, opI32Const, 6, 0x20, 0, 0x1c, 1, i32}, // select with type
		[]byte{0xc0, opI32Const, 1, 0x40, 0, 0x6a, 0x3f, 0, 0x6a},   // extend8_s, memory.grow, memory.size
		[]byte{opMisc, 16, 1, 0x6a, opI32Const, 0, 0x28, 2, 16, 0x6a, opI32Const, 0, 0x28, 0, 50, 0x6a},
	)
	a.export("run", binary.KindFunc, a.fn(a.sig([]byte{i32}, []byte{i32}), 0, code...))
	if got := same(t, a.bytes(), "run", 1); got[0] == 0 {
		t.Error("run(1) = 0")
	}
}

// Indexes need more bytes when they pass 127: in calls, in elements and in names.
func TestManyFunctions(t *testing.T) {
	a := &asm{}
	void, one := a.sig(nil, nil), a.sig([]byte{i32}, []byte{i32})
	a.fn(one, 0, 0x20, 0, opCall, 0xff, 0x00) // function 127
	for range 126 {
		a.fn(void, 0)
	}
	a.export("run", binary.KindFunc, 0)
	a.fn(one, 0, 0x20, 0, opI32Const, 3, opI32Add)
	if got := same(t, a.bytes(), "run", 4); got[0] != 7 {
		t.Errorf("run(4) = %d, want 7", got[0])
	}
}
