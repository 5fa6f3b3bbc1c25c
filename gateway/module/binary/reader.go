// Package binary reads and writes the WebAssembly binary format, as far as rewriting modules needs it: WebAssembly 2.0.
// What it does not know it refuses, with the byte offset.
package binary

import (
	"fmt"
	"unicode/utf8"
)

// Reader walks bytes [Pos, End) of a binary. The first failure sticks: it is kept in Err with its offset and moves Pos to
// End, so that callers may check once after several reads. Offsets are those of the whole binary.
type Reader struct {
	B        []byte
	Pos, End int
	Err      error
}

// Fail notes what is wrong at an offset, unless something was before.
func (r *Reader) Fail(at int, format string, args ...any) {
	if r.Err == nil {
		r.Err = fmt.Errorf("offset %#x: %s", at, fmt.Sprintf(format, args...))
	}
	r.Pos = r.End
}

// More says whether bytes are left.
func (r *Reader) More() bool { return r.Pos < r.End }

// Sub returns a reader of the next n bytes and moves past them.
func (r *Reader) Sub(n int) Reader {
	if n > r.End-r.Pos {
		r.Fail(r.Pos, "%d bytes announced but %d left", n, r.End-r.Pos)
		return Reader{B: r.B, Pos: r.End, End: r.End, Err: r.Err}
	}
	s := Reader{B: r.B, Pos: r.Pos, End: r.Pos + n}
	r.Pos += n
	return s
}

// Join takes over the error of a sub reader; a sub reader that ends early without one is an error too.
func (r *Reader) Join(s *Reader, what string) {
	if s.Err == nil && s.More() {
		s.Fail(s.Pos, "%d bytes too many in %s", s.End-s.Pos, what)
	}
	if s.Err != nil && r.Err == nil {
		r.Err, r.Pos = s.Err, r.End
	}
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if p := r.Pos; p < r.End {
		r.Pos++
		return r.B[p]
	}
	return r.noByte()
}

// noByte is apart so that byte can be inlined.
func (r *Reader) noByte() byte {
	r.Fail(r.Pos, "unexpected end")
	return 0
}

// Want reads one byte that must be c.
func (r *Reader) Want(c byte, what string) {
	at := r.Pos
	if got := r.Byte(); got != c {
		r.Fail(at, "%s is %#x, want %#x", what, got, c)
	}
}

// Skip passes n bytes.
func (r *Reader) Skip(n int) {
	if n > r.End-r.Pos {
		r.Fail(r.Pos, "unexpected end")
		return
	}
	r.Pos += n
}

// U32 reads an unsigned LEB128 number of at most 32 bits.
func (r *Reader) U32() uint32 {
	if p := r.Pos; p < r.End && r.B[p] < 0x80 {
		r.Pos++
		return uint32(r.B[p])
	}
	return r.longU32()
}

func (r *Reader) longU32() uint32 {
	at, v := r.Pos, uint32(0)
	for shift := 0; shift < 35; shift += 7 {
		c := r.Byte()
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.Fail(at, "number does not fit in 32 bits")
	return 0
}

// S33 reads a signed LEB128 number of at most 33 bits.
func (r *Reader) S33() int64 {
	at, v := r.Pos, int64(0)
	for shift := 0; shift < 35; shift += 7 {
		c := r.Byte()
		v |= int64(c&0x7f) << shift
		if c < 0x80 {
			return v << (57 - shift) >> (57 - shift)
		}
	}
	r.Fail(at, "number does not fit in 33 bits")
	return 0
}

// SkipLEB passes a LEB128 number of at most max bytes; the runtime checks its value.
func (r *Reader) SkipLEB(limit int) {
	at := r.Pos
	for range limit {
		if r.Byte() < 0x80 {
			return
		}
	}
	r.Fail(at, "number longer than %d bytes", limit)
}

// Count reads the length of a list whose entries take at least size bytes each, so that no list can be announced that is
// longer than the input.
func (r *Reader) Count(size int, what string) int {
	at := r.Pos
	n := int64(r.U32())
	if n*int64(size) > int64(r.End-r.Pos) {
		r.Fail(at, "%d %s announced in %d bytes", n, what, r.End-r.Pos)
		return 0
	}
	return int(n)
}

// Name reads a length-prefixed UTF-8 string.
func (r *Reader) Name() string {
	at := r.Pos
	s := r.Sub(r.Count(1, "name bytes"))
	if b := s.B[s.Pos:s.End]; utf8.Valid(b) {
		return string(b)
	}
	r.Fail(at, "name is not UTF-8")
	return ""
}

// AppendU32 appends v as an unsigned LEB128 number.
func AppendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

// AppendS32 appends v as a signed LEB128 number.
func AppendS32(b []byte, v int32) []byte {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

// AppendName appends s with its length before it.
func AppendName(b []byte, s string) []byte {
	return append(AppendU32(b, uint32(len(s))), s...)
}
