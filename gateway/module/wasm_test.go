package module

import (
	"encoding/binary"
	"testing"

	"github.com/posternhq/postern/gateway/module/manifest"
)

// assembly is a synchronous guest, put together byte by byte: for what no compiler would make.
type assembly struct {
	imports [][2]string // host functions: module, name
	types   []byte      // of each import; see guestTypes
	code    []byte      // of postern_handle(ex), without its end
	tables  []byte      // the table section's entries, with their count
	data    []byte      // the data section's entries, with their count
	about   string      // the manifest; empty: a plain one
}

// guestTypes are the signatures that an assembly can use: (i32)→i32, (i32,i32)→i32, (i32,i32,i32)→i32, and last
// (i32)→nothing, which is postern_handle's.
var guestTypes = []byte{
	4,
	0x60, 1, 0x7f, 1, 0x7f,
	0x60, 2, 0x7f, 0x7f, 1, 0x7f,
	0x60, 3, 0x7f, 0x7f, 0x7f, 1, 0x7f,
	0x60, 1, 0x7f, 0,
}

const handleType = 3

// Instructions.
const (
	opUnreachable = 0x00
	opLoop        = 0x03
	opIf          = 0x04
	opEnd         = 0x0b
	opBr          = 0x0c
	opCall        = 0x10
	opDrop        = 0x1a
	opLocalGet    = 0x20
	opI32Const    = 0x41
	opI32Eqz      = 0x45
	opI32Ne       = 0x47
	noBlockType   = 0x40
)

const plainManifest = "name: assembled\nversion: \"1\"\nserves:\n- {group: test.postern.io, versions: [v1]}\n"

// bytes is the module, with its manifest.
func (a assembly) bytes(t testing.TB) []byte {
	t.Helper()
	out := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, body ...byte) {
		out = append(binary.AppendUvarint(append(out, id), uint64(len(body))), body...)
	}
	name := func(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }
	section(1, guestTypes...)
	imports := []byte{byte(len(a.imports))}
	for n, i := range a.imports {
		imports = append(name(name(imports, i[0]), i[1]), 0, a.types[n])
	}
	section(2, imports...)
	section(3, 1, handleType)
	if a.tables != nil {
		section(4, a.tables...)
	}
	section(5, 1, 0, 1) // one page
	exports := append(name([]byte{2}, "memory"), 2, 0)
	section(7, append(name(exports, "postern_handle"), 0, byte(len(a.imports)))...)
	code := append(append([]byte{0}, a.code...), opEnd)
	section(10, append([]byte{1, byte(len(code))}, code...)...)
	if a.data != nil {
		section(11, a.data...)
	}
	about := a.about
	if about == "" {
		about = plainManifest
	}
	packed, err := manifest.Pack(out, []byte(about))
	if err != nil {
		t.Fatal(err)
	}
	return packed
}

// i32 is an instruction that pushes a number.
func i32(n int32) []byte {
	b := []byte{opI32Const}
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

// instructions puts pieces of code together.
func instructions(pieces ...[]byte) (code []byte) {
	for _, p := range pieces {
		code = append(code, p...)
	}
	return code
}
