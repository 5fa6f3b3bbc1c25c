// Package guests makes the WebAssembly guests that tests of the runtime and of its manager load: assembled byte by byte, or
// compiled from a Go package.
package guests

import (
	"encoding/binary"
	"testing"

	"github.com/posternhq/postern/gateway/module/manifest"
)

// Assembly is a synchronous guest, put together byte by byte: for what no compiler would make.
type Assembly struct {
	Imports [][2]string // host functions: module, name
	Types   []byte      // of each import; see guestTypes
	Code    []byte      // of postern_handle(ex), without its end
	Tables  []byte      // the table section's entries, with their count
	Data    []byte      // the data section's entries, with their count
	About   string      // the manifest; empty: a plain one
}

// guestTypes are the signatures that an Assembly can use: (i32)→i32, (i32,i32)→i32, (i32,i32,i32)→i32, and last
// (i32)→nothing, which is postern_handle's.
var guestTypes = []byte{
	4,
	0x60, 1, 0x7f, 1, 0x7f,
	0x60, 2, 0x7f, 0x7f, 1, 0x7f,
	0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f,
	0x60, 1, 0x7f, 0,
}

const handleType = 3

// Instructions that an Assembly is made of.
const (
	OpUnreachable = 0x00
	OpLoop        = 0x03
	OpIf          = 0x04
	OpEnd         = 0x0b
	OpBr          = 0x0c
	OpBrIf        = 0x0d
	OpCall        = 0x10
	OpDrop        = 0x1a
	OpLocalGet    = 0x20
	OpLocalSet    = 0x21
	OpLocalTee    = 0x22
	OpI32Const    = 0x41
	OpI32Eqz      = 0x45
	OpI32Ne       = 0x47
	OpI32Sub      = 0x6b
	NoBlockType   = 0x40
)

const plainManifest = "name: assembled\nversion: \"1\"\nserves:\n- {group: test.postern.io, versions: [v1]}\n"

// Bytes is the module, with its manifest.
func (a Assembly) Bytes(t testing.TB) []byte {
	t.Helper()
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, body ...byte) {
		out = append(binary.AppendUvarint(append(out, id), uint64(len(body))), body...)
	}
	name := func(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }
	section(1, guestTypes...)
	imports := []byte{byte(len(a.Imports))}
	for n, i := range a.Imports {
		imports = append(name(name(imports, i[0]), i[1]), 0, a.Types[n])
	}
	section(2, imports...)
	section(3, 1, handleType)
	if a.Tables != nil {
		section(4, a.Tables...)
	}
	section(5, 1, 0, 1) // one page
	exports := append(name([]byte{2}, "memory"), 2, 0)
	section(7, append(name(exports, "postern_handle"), 0, byte(len(a.Imports)))...)
	code := append(append([]byte{0}, a.Code...), OpEnd)
	section(10, append([]byte{1, byte(len(code))}, code...)...)
	if a.Data != nil {
		section(11, a.Data...)
	}
	about := a.About
	if about == "" {
		about = plainManifest
	}
	packed, err := manifest.Pack(out, []byte(about))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// I32 is an instruction that pushes a number.
func I32(n int32) []byte {
	b := []byte{OpI32Const}
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// Code puts pieces of code together.
func Code(pieces ...[]byte) (code []byte) {
	for _, p := range pieces {
		code = append(code, p...)
	}
	return code
}
