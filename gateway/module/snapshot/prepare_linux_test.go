package snapshot

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/binary"
)

func TestPrepareTakesDataOut(t *testing.T) {
	wasm := with(section{binary.SecDataCount, []byte{2}})
	before := string(wasm)
	out, plan, err := Prepare(wasm)
	if err != nil {
		t.Fatal(err)
	}
	if string(wasm) != before {
		t.Error("the input changed")
	}
	if strings.Contains(string(out), "here") || len(plan.data) != 2 || string(plan.data[1].bytes) != "here" || plan.data[1].offset != 40 {
		t.Errorf("data: %+v", plan.data)
	}
	if want := []string{"postern.global.0", "postern.global.2"}; strings.Join(plan.globals, " ") != strings.Join(want, " ") {
		t.Errorf("globals: %q, want %q", plan.globals, want)
	}
}

// Modules of which the host cannot see the whole state, and what is no module.
func TestRefusals(t *testing.T) {
	code := func(instructions ...byte) section { return section{binary.SecCode, list(body(instructions...))} }
	data := func(segments ...[]byte) section { return section{binary.SecData, list(segments...)} }
	table := section{binary.SecTable, list([]byte{binary.TypeFuncref, 0, 4})}
	for name, c := range map[string]struct {
		wasm []byte
		want string
	}{
		"passive data":       {with(data(cat([]byte{1}, named("x")))), "passive data"},
		"place of data":      {with(data(cat([]byte{0, 0x23, 0, opEnd}, named("x")))), "place is not a constant"},
		"memory.init":        {with(code(0x41, 0, 0x41, 0, 0x41, 0, opMisc, 8, 0, 0), section{binary.SecDataCount, []byte{2}}), "memory.init"},
		"data.drop":          {with(code(opMisc, 9, 0), section{binary.SecDataCount, []byte{2}}), "data.drop"},
		"table.set":          {with(table, code(0x41, 0, 0xd0, 0x70, opTableSet, 0)), "table.set"},
		"table.grow":         {with(table, code(0xd0, 0x70, 0x41, 0, opMisc, 15, 0, 0x1a)), "table.grow"},
		"table.fill":         {with(table, code(0x41, 0, 0xd0, 0x70, 0x41, 0, opMisc, 17, 0)), "table.fill"},
		"table.copy":         {with(table, code(0x41, 0, 0x41, 0, 0x41, 0, opMisc, 14, 0, 0)), "table.copy"},
		"table.init":         {with(table, code(0x41, 0, 0x41, 0, 0x41, 0, opMisc, 12, 0, 0)), "table.init"},
		"elem.drop":          {with(table, code(opMisc, 13, 0)), "elem.drop"},
		"start":              {with(section{binary.SecStart, []byte{0}}), "start function"},
		"imported memory":    {with(section{binary.SecImport, list(cat(named("env"), named("memory"), []byte{binary.KindMemory, 0, 1}))}), "more than functions"},
		"imported global":    {with(section{binary.SecImport, list(cat(named("env"), named("g"), []byte{binary.KindGlobal, i32, 1}))}), "more than functions"},
		"no memory":          {with(section{binary.SecMemory, nil}), "no memory"},
		"memories":           {with(section{binary.SecMemory, list([]byte{0, 1}, []byte{0, 1})}), "no memory"},
		"reference":          {with(section{binary.SecGlobal, list([]byte{binary.TypeFuncref, 1, 0xd0, 0x70, opEnd})}), "not a number"},
		"vector":             {with(section{binary.SecGlobal, list(cat([]byte{binary.TypeV128, 1, 0xfd, 12}, make([]byte, 16), []byte{opEnd}))}), "not a number"},
		"name taken":         {with(section{binary.SecExport, list(named("postern.global.7", binary.KindFunc, 0))}), "postern.global."},
		"count of data":      {with(section{binary.SecDataCount, []byte{3}}), "3 are announced"},
		"offset of 33 bits":  {with(data(cat([]byte{0, opI32Const, 0xff, 0xff, 0xff, 0xff, 0x0f, opEnd}, named("x")))), "32 bits"},
		"order":              {assemble(counter()[binary.SecCode], counter()[binary.SecType]), "out of order"},
		"twice":              {append(with(), inOrder(map[byte]section{binary.SecData: data()})[8:]...), "out of order"},
		"unknown section":    {assemble(section{14, []byte{0}}), "unknown section"},
		"unknown code":       {with(code(0x06)), "unknown instruction"},
		"form of data":       {with(data([]byte{3, 0})), "unknown form"},
		"cut":                {with()[:60], "offset"},
		"no wasm":            {[]byte("#!/bin/sh\nexit"), "magic"},
		"component":          {[]byte("\x00asm\x0d\x00\x01\x00"), "version"},
		"absurd count":       {[]byte("\x00asm\x01\x00\x00\x00\x06\x05\xff\xff\xff\xff\x0f"), "announced"},
		"data longer than":   {with(section{binary.SecData, []byte{1, 0, opI32Const, 0, opEnd, 9, 'x'}}), "announced"},
		"exports too many":   {with(section{binary.SecExport, []byte{9, 0}}), "announced"},
		"rest after a list":  {with(section{binary.SecImport, []byte{0, 0}}), "too many"},
		"rest after exports": {with(section{binary.SecExport, []byte{0, 0}}), "too many"},
		"rest after data":    {with(section{binary.SecData, []byte{0, 0}}), "too many"},
	} {
		out, plan, err := Prepare(c.wasm)
		if !errors.Is(err, ErrPlain) || out != nil || plan != nil {
			t.Errorf("%s: accepted, or refused with %v", name, err)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: refused with %q, want %q", name, err, c.want)
		}
	}
}

// Exports are added where the section has to be when there is none.
func TestPrepareWithoutExports(t *testing.T) {
	for name, wasm := range map[string][]byte{
		"before others": with(section{binary.SecExport, nil}),
		"last": with(section{binary.SecExport, nil}, section{binary.SecCode, nil}, section{binary.SecFunction, nil},
			section{binary.SecData, nil}),
	} {
		mod, _ := start(t, wasm, nil)
		if g := mod.ExportedGlobal("postern.global.2"); g == nil || g.Get() != 5 {
			t.Errorf("%s: global 2 is %v", name, g)
		}
	}
}

// FuzzPrepare: nothing makes Prepare panic; what it accepts is as valid afterwards as before, and its instances begin with the same
// memory and globals, copies included.
func FuzzPrepare(f *testing.F) {
	f.Add(with())
	f.Add(with(section{binary.SecDataCount, []byte{2}}, section{0, named("name", 0)}))
	f.Add(with(section{binary.SecExport, nil}))
	f.Add(with(section{binary.SecData, list(at(0, strings.Repeat("x", 63)))}))
	guest, err := os.ReadFile("../testdata/c/hello.wasm")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(guest)
	f.Fuzz(func(t *testing.T, wasm []byte) {
		if _, _, err := Prepare(wasm); err == nil {
			compare(t, wasm)
		}
	})
}
