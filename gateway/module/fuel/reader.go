package fuel

import (
	"fmt"
	"unicode/utf8"
)

// reader walks bytes [pos, end) of a binary. The first failure sticks: it is kept in err with its offset and moves pos to
// end, so that callers may check once after several reads. Offsets are those of the whole binary.
type reader struct {
	b        []byte
	pos, end int
	err      error
}

func (r *reader) fail(at int, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("offset %#x: %s", at, fmt.Sprintf(format, args...))
	}
	r.pos = r.end
}

func (r *reader) more() bool { return r.pos < r.end }

// sub returns a reader of the next n bytes and moves past them.
func (r *reader) sub(n int) reader {
	if n > r.end-r.pos {
		r.fail(r.pos, "%d bytes announced but %d left", n, r.end-r.pos)
		return reader{b: r.b, pos: r.end, end: r.end, err: r.err}
	}
	s := reader{b: r.b, pos: r.pos, end: r.pos + n}
	r.pos += n
	return s
}

// join takes over the error of a sub reader; a sub reader that ends early without one is an error too.
func (r *reader) join(s *reader, what string) {
	if s.err == nil && s.more() {
		s.fail(s.pos, "%d bytes too many in %s", s.end-s.pos, what)
	}
	if s.err != nil && r.err == nil {
		r.err, r.pos = s.err, r.end
	}
}

func (r *reader) byte() byte {
	if p := r.pos; p < r.end {
		r.pos++
		return r.b[p]
	}
	return r.noByte()
}

// noByte is apart so that byte can be inlined.
func (r *reader) noByte() byte {
	r.fail(r.pos, "unexpected end")
	return 0
}

// want reads one byte that must be c.
func (r *reader) want(c byte, what string) {
	at := r.pos
	if got := r.byte(); got != c {
		r.fail(at, "%s is %#x, want %#x", what, got, c)
	}
}

func (r *reader) skip(n int) {
	if n > r.end-r.pos {
		r.fail(r.pos, "unexpected end")
		return
	}
	r.pos += n
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (r *reader) u32() uint32 {
	if p := r.pos; p < r.end && r.b[p] < 0x80 {
		r.pos++
		return uint32(r.b[p])
	}
	return r.longU32()
}

func (r *reader) longU32() uint32 {
	at, v := r.pos, uint32(0)
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		if shift == 28 && c > 0x0f {
			break
		}
		v |= uint32(c&0x7f) << shift
		if c < 0x80 {
			return v
		}
	}
	r.fail(at, "number does not fit in 32 bits")
	return 0
}

// s33 reads a signed LEB128 number of at most 33 bits.
func (r *reader) s33() int64 {
	at, v := r.pos, int64(0)
	for shift := 0; shift < 35; shift += 7 {
		c := r.byte()
		v |= int64(c&0x7f) << shift
		if c < 0x80 {
			return v << (57 - shift) >> (57 - shift)
		}
	}
	r.fail(at, "number does not fit in 33 bits")
	return 0
}

// skipLEB passes a LEB128 number of at most max bytes; the runtime checks its value.
func (r *reader) skipLEB(limit int) {
	at := r.pos
	for range limit {
		if r.byte() < 0x80 {
			return
		}
	}
	r.fail(at, "number longer than %d bytes", limit)
}

// count reads the length of a list whose entries take at least size bytes each, so that no list can be announced that is
// longer than the input.
func (r *reader) count(size int, what string) int {
	at := r.pos
	n := int64(r.u32())
	if n*int64(size) > int64(r.end-r.pos) {
		r.fail(at, "%d %s announced in %d bytes", n, what, r.end-r.pos)
		return 0
	}
	return int(n)
}

// name reads a length-prefixed UTF-8 string.
func (r *reader) name() string {
	at := r.pos
	s := r.sub(r.count(1, "name bytes"))
	if b := s.b[s.pos:s.end]; utf8.Valid(b) {
		return string(b)
	}
	r.fail(at, "name is not UTF-8")
	return ""
}

func appendU32(b []byte, v uint32) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}

func appendS32(b []byte, v int32) []byte {
	for v < -64 || v > 63 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v)&0x7f)
}

func appendName(b []byte, s string) []byte {
	return append(appendU32(b, uint32(len(s))), s...)
}
