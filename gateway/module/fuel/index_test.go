package fuel

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/binary"
)

// base has an imported function (index 0), three that return 11, 22 and 33 (1 to 3), and "run" (4), which calls by table
// slot: run(slot).
func base() *asm {
	a := &asm{tables: [][]byte{{binary.TypeFuncref, 0, 8}}}
	number := a.sig(nil, []byte{i32})
	run := a.sig([]byte{i32}, []byte{i32})
	a.importFunc("note", run)
	for _, n := range []byte{11, 22, 33} {
		a.fn(number, 0, opI32Const, n)
	}
	a.export("run", binary.KindFunc, a.fn(run, 0, 0x20, 0, opCallIndirect, number, 0)+1)
	a.export("second", binary.KindFunc, 2)
	return a
}

func TestElementSegments(t *testing.T) {
	offset := []byte{opI32Const, 1, opEnd}
	refs := []byte{3, opRefFunc, 1, opEnd, opRefNull, binary.TypeFuncref, opEnd, opRefFunc, 3, opEnd}
	for form, segment := range map[int][]byte{
		0: cat([]byte{0}, offset, []byte{3, 1, 2, 3}),
		1: {1, 0, 3, 1, 2, 3},
		2: cat([]byte{2, 0}, offset, []byte{0, 3, 1, 2, 3}),
		3: {3, 0, 3, 1, 2, 3},
		4: cat([]byte{4}, offset, refs),
		5: cat([]byte{5, binary.TypeFuncref}, refs),
		6: cat([]byte{6, 0}, offset, []byte{binary.TypeFuncref}, refs),
		7: cat([]byte{7, binary.TypeFuncref}, refs),
	} {
		t.Run(fmt.Sprint(form), func(t *testing.T) {
			a := base()
			a.elems = [][]byte{segment}
			fill := a.sig(nil, nil)
			switch form {
			case 1, 5: // passive: table.init
				a.export("fill", binary.KindFunc, a.fn(fill, 0, opI32Const, 1, opI32Const, 0, opI32Const, 3, opMisc, 12, 0, 0)+1)
			case 3, 7: // declarative: allows ref.func in code; table.set
				code := []byte{opI32Const, 1, opRefFunc, 1, 0x26, 0, opI32Const, 3, opRefFunc, 3, 0x26, 0}
				a.export("fill", binary.KindFunc, a.fn(fill, 0, code...)+1)
			default:
				a.export("fill", binary.KindFunc, a.fn(fill, 0)+1)
			}
			var h host
			m := h.mustStart(t, mustRewrite(t, a.bytes(), Options{}))
			call(t, m, "fill")
			for slot, want := range map[uint64]uint64{1: 11, 3: 33} {
				if got := call(t, m, "run", slot)[0]; got != want {
					t.Errorf("slot %d holds the function of %d, want %d", slot, got, want)
				}
			}
		})
	}
}

func TestExportsImportsAndGlobals(t *testing.T) {
	a := base()
	a.globals = [][]byte{{binary.TypeFuncref, 0, opRefFunc, 2, opEnd}, {i32, 1, opI32Const, 5, opEnd}}
	a.elems = [][]byte{{3, 0, 1, 2}}
	number := byte(0)
	// Through the global: slot 4 = global 0, then call it, and tell the host.
	a.export("viaGlobal", binary.KindFunc, a.fn(number, 0,
		opI32Const, 4, opGlobalGet, 0, 0x26, 0, opI32Const, 4, opCallIndirect, number, 0, opCall, 0)+1)
	a.export("counter", binary.KindGlobal, 1)
	a.export("host", binary.KindFunc, 0)
	a.start = []byte{a.fn(a.sig(nil, nil), 0, opI32Const, 9, opGlobalSet, 1) + 1}

	h := &host{}
	m := h.mustStart(t, mustRewrite(t, a.bytes(), Options{}))
	if got := call(t, m, "second")[0]; got != 22 {
		t.Errorf("the export calls the function of %d, want 22", got)
	}
	if got := m.ExportedGlobal("counter").Get(); got != 9 {
		t.Errorf("the start function left %d, want 9", got)
	}
	call(t, m, "viaGlobal")
	call(t, m, "host", 77)
	if fmt.Sprint(h.trace) != "[22 77]" {
		t.Errorf("the host was told %v, want [22 77]", h.trace)
	}
	if m.ExportedGlobal(GlobalExport).Get() != DefaultInterval-1 { // one entry of viaGlobal, which calls through a table
		t.Errorf("fuel is %d, want %d", m.ExportedGlobal(GlobalExport).Get(), DefaultInterval-1)
	}
}

func TestTableWithInitialiser(t *testing.T) {
	a := base()
	a.tables = [][]byte{{0x40, 0, binary.TypeFuncref, 0, 8, opRefFunc, 2, opEnd}}
	var h host
	m := h.mustStart(t, mustRewrite(t, a.bytes(), Options{}))
	if got := call(t, m, "run", 6)[0]; got != 22 {
		t.Errorf("slot 6 holds the function of %d, want 22", got)
	}
}

// table.grow would take 8 bytes of the host's heap for each of up to 2³² entries.
func TestTablesAreBounded(t *testing.T) {
	a := &asm{tables: [][]byte{{binary.TypeFuncref, 0, 8}}}
	a.export("grow", binary.KindFunc, a.fn(a.sig([]byte{i32}, []byte{i32}), 0, opRefNull, binary.TypeFuncref, 0x20, 0, opMisc, 15, 0))
	var h host
	m := h.mustStart(t, mustRewrite(t, a.bytes(), Options{MaxTable: 10}))
	for _, c := range []struct{ by, want uint64 }{{2, 8}, {1, 0xffffffff}} {
		if got := call(t, m, "grow", c.by)[0]; got != c.want {
			t.Errorf("table.grow by %d returned %d, want %d", c.by, int32(got), int32(c.want))
		}
	}
}

func names(subsections ...[]byte) []byte { return cat(text("name"), cat(subsections...)) }

func assoc(index byte, name string) []byte { return cat([]byte{index}, text(name)) }

func named() *asm {
	a := base()
	a.export("trap", binary.KindFunc, a.fn(a.sig(nil, nil), 0, opCall, 6)+1)
	a.fn(a.sig(nil, nil), 0, 0x00)
	a.customs = [][]byte{
		cat(text("postern.module"), []byte("a manifest\x00\xff")),
		names(
			sect(nil, 0, text("mod")),
			sect(nil, 1, vec(assoc(0, "host"), assoc(5, "caller"), assoc(6, "callee"))),
			sect(nil, 2, vec(cat([]byte{5}, vec()), cat([]byte{6}, vec(assoc(0, "x"))))),
			sect(nil, 3, vec(cat([]byte{5}, vec(assoc(0, "label"))))),
			sect(nil, 7, vec(assoc(0, "g"))),
		),
		cat(text(".debug_line"), []byte("offsets into the code")),
	}
	return a
}

func TestStackTraceNamesTheRightFunctions(t *testing.T) {
	var h host
	m := h.mustStart(t, mustRewrite(t, named().bytes(), Options{}))
	_, err := m.ExportedFunction("trap").Call(context.Background())
	if err == nil || !strings.Contains(err.Error(), "mod.callee()\n\tmod.caller()") {
		t.Errorf("the trap says %v, want callee in caller", err)
	}
	h.spend = func() { panic(errStopped) }
	m = h.mustStart(t, mustRewrite(t, named().bytes(), Options{Interval: 1}))
	_, err = m.ExportedFunction("run").Call(context.Background(), 0)
	if err == nil || !strings.Contains(err.Error(), "mod."+refillName+"()") {
		t.Errorf("the stop says %v, want %s in it", err, refillName)
	}
}

func TestCustomSections(t *testing.T) {
	out := mustRewrite(t, named().bytes(), Options{})
	if !bytes.Contains(out, cat(text("postern.module"), []byte("a manifest\x00\xff"))) {
		t.Error("the manifest is gone or changed")
	}
	for _, gone := range []string{"label", ".debug_line"} {
		if bytes.Contains(out, []byte(gone)) {
			t.Errorf("%q is still there, with offsets that are wrong now", gone)
		}
	}
	want := names(
		sect(nil, 0, text("mod")),
		sect(nil, 1, vec(assoc(0, "host"), assoc(1, spendName), assoc(6, "caller"), assoc(7, "callee"), assoc(8, refillName))),
		sect(nil, 2, vec(cat([]byte{6}, vec()), cat([]byte{7}, vec(assoc(0, "x"))))),
		sect(nil, 7, vec(assoc(0, "g"))),
	)
	if !bytes.Contains(out, want) {
		t.Errorf("names are not %q in %q", want, out)
	}
}

func TestEmptyModule(t *testing.T) {
	var h host
	m := h.mustStart(t, mustRewrite(t, (&asm{}).bytes(), Options{Interval: 12}))
	if got := m.ExportedGlobal(GlobalExport).Get(); got != 12 {
		t.Errorf("fuel is %d, want 12", got)
	}
}
