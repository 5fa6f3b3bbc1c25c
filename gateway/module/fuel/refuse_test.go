package fuel

import (
	"errors"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/binary"
)

func TestRefusals(t *testing.T) {
	global := func(code ...byte) []byte {
		a := &asm{globals: [][]byte{{i32, 1, opI32Const, 0, opEnd}}}
		a.fn(a.sig(nil, nil), 0, code...)
		return a.bytes()
	}
	withName := func(payload []byte) []byte {
		a := &asm{customs: [][]byte{payload}}
		a.fn(a.sig(nil, nil), 0)
		return a.bytes()
	}
	own := &asm{imports: [][]byte{cat(text(DefaultModule), text(DefaultName), []byte{binary.KindFunc, 0})}}
	own.sig(nil, nil)
	export := &asm{}
	export.export(GlobalExport, binary.KindFunc, export.fn(export.sig(nil, nil), 0))
	beyond := &asm{}
	beyond.fn(beyond.sig(nil, nil), 0)
	beyond.export("refill", binary.KindFunc, 1)
	fuelExport := &asm{exports: [][]byte{cat(text("x"), []byte{binary.KindGlobal, 0})}}
	locals := &asm{}
	locals.funcs, locals.codes = [][]byte{{locals.sig(nil, nil)}}, [][]byte{{8, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, i32, opEnd}}

	for name, c := range map[string]struct {
		wasm []byte
		want string
	}{
		"no wasm":               {[]byte("#!/bin/sh\nexit"), "magic"},
		"component":             {[]byte("\x00asm\x0d\x00\x01\x00"), "version"},
		"cut":                   {global(opLoop)[:30], "offset"},
		"unknown opcode":        {global(0x06), "unknown instruction 0x6"},
		"tail call":             {global(0x12, 0), "unknown instruction 0x12"},
		"atomics":               {global(0xfe, 0x03, 0), "unknown instruction 0xfe"},
		"exceptions":            {global(0x1f, 0x40, 0), "unknown instruction 0x1f"},
		"misc":                  {global(opMisc, 18), "unknown instruction 0xfc 0x12"},
		"long misc":             {global(opMisc, 0x80, 0), "unknown instruction 0xfc 0x80"},
		"vector":                {global(opVector, 0x9a, 1), "unknown instruction 0xfd 0x9a"},
		"relaxed vector":        {global(opVector, 0x80, 2), "second byte of a vector opcode"},
		"long vector":           {global(opVector, 0x8c, 0), "second byte of a vector opcode"},
		"label":                 {global(opBr, 1), "label 1 of 1"},
		"label of a table":      {global(opBrTable, 1, 0, 3), "label 3 of 1"},
		"the fuel global":       {global(opI32Const, 0, opGlobalSet, 1), "global 1 of 1"},
		"the refill function":   {global(opCall, 1), "function 1 of 1"},
		"ref.func":              {global(opRefFunc, 1), "function 1 of 1"},
		"our type":              {global(opI32Const, 0, opCallIndirect, 1, 0), "type 1 of 1"},
		"our type of a block":   {global(opBlock, 1, opEnd), "type 1 of 1"},
		"code behind the end":   {global(opEnd, 0x01), "too many in function"},
		"export of the refill":  {beyond.bytes(), "function 1 of 1"},
		"export of the fuel":    {fuelExport.bytes(), "global 0 of 0"},
		"import of the spend":   {own.bytes(), "imports"},
		"export of the name":    {export.bytes(), "exports"},
		"locals":                {locals.bytes(), "4294967295 locals"},
		"large table":           {(&asm{tables: [][]byte{{binary.TypeFuncref, 0, 0xff, 0xff, 0xff, 1}}}).bytes(), "table of"},
		"shared memory":         {(&asm{mems: [][]byte{{3, 1, 1}}}).bytes(), "flags of limits 0x3"},
		"memory64":              {(&asm{mems: [][]byte{{4, 1}}}).bytes(), "flags of limits 0x4"},
		"memories":              {(&asm{mems: [][]byte{{0, 1}, {0, 1}}}).bytes(), "more than one memory"},
		"tag section":           {[]byte("\x00asm\x01\x00\x00\x00\x0d\x01\x00"), "unknown section 13"},
		"order":                 {[]byte("\x00asm\x01\x00\x00\x00\x03\x01\x00\x01\x01\x00"), "out of order"},
		"type form":             {(&asm{types: [][]byte{{0x5e, 0, 0}}}).bytes(), "form of a type"},
		"absurd count":          {[]byte("\x00asm\x01\x00\x00\x00\x01\x05\xff\xff\xff\xff\x0f"), "types announced"},
		"absurd names":          {withName(names([]byte{1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f})), "names announced"},
		"name of no function":   {withName(names(sect(nil, 1, vec(assoc(1, "x"))))), "function 1 of 1"},
		"number":                {[]byte("\x00asm\x01\x00\x00\x00\x01\xff\xff\xff\xff\x1f"), "32 bits"},
		"element form":          {(&asm{elems: [][]byte{{8, 0}}}).bytes(), "form of element segment 8"},
		"code without function": {(&asm{codes: [][]byte{{2, 0, opEnd}}}).bytes(), "1 functions have code, 0 are declared"},
		"function without code": {(&asm{types: [][]byte{{binary.FormFunc, 0, 0}}, funcs: [][]byte{{0}}}).bytes(), "0 functions have code, 1 are declared"},
	} {
		out, err := Rewrite(c.wasm, Options{})
		if !errors.Is(err, ErrRefused) || out != nil {
			t.Errorf("%s: accepted, or refused with %v", name, err)
		} else if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "offset 0x") {
			t.Errorf("%s: refused with %q, want %q and the offset", name, err, c.want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, n := range []int32{-1, maxInterval + 1} {
		if _, err := Rewrite((&asm{}).bytes(), Options{Interval: n}); !errors.Is(err, ErrRefused) {
			t.Errorf("interval %d: got %v, want a refusal", n, err)
		}
	}
	if _, err := Rewrite(mustRewrite(t, (&asm{}).bytes(), Options{}), Options{}); !errors.Is(err, ErrRefused) {
		t.Errorf("rewriting twice: got %v, want a refusal", err)
	}
}
