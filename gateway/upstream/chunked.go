package upstream

import (
	"bytes"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

const (
	errChunkSize = malformed("a chunk size is not 1 to 15 hex digits")
	errChunkExt  = malformed("a chunk extension has a byte that is not allowed")
	errChunkLine = malformed("a chunk size line is too long")
	errChunkEnd  = malformed("a chunk does not end with CRLF")
)

// maxChunkLine bounds a chunk's size line with its extensions, which are dropped.
const maxChunkLine = 1024

// chunks decodes a chunked body as it comes.
type chunks struct {
	left  int64 // of the chunk's data
	inEnd bool  // the chunk's data are complete, its CRLF is not
}

// next decodes in place: data are b[from:to], moved together over the framing between them, and b[:used] is done with.
// last: the last chunk was there; what follows are trailers. Without data, used or not, it needs more bytes.
func (d *chunks) next(b []byte) (from, to, used int, last bool, err error) {
	for used < len(b) {
		switch {
		case d.left > 0:
			n := int(min(d.left, int64(len(b)-used)))
			if from == to {
				from, to = used, used+n
			} else {
				to += copy(b[to:], b[used:used+n])
			}
			used += n
			d.left -= int64(n)
			d.inEnd = d.left == 0
		case d.inEnd:
			n, err := chunkEnd(b[used:])
			if n == 0 || err != nil {
				return from, to, used, false, err
			}
			used += n
			d.inEnd = false
		default:
			size, n, err := chunkSize(b[used:])
			if n == 0 || err != nil {
				return from, to, used, false, err
			}
			used += n
			if d.left = size; size == 0 {
				return from, to, used, true, nil
			}
		}
	}
	return from, to, used, false, nil
}

// chunkEnd reads CRLF; 0 when it is not complete.
func chunkEnd(b []byte) (int, error) {
	if b[0] != '\r' || len(b) > 1 && b[1] != '\n' {
		return 0, errChunkEnd
	}
	if len(b) < 2 {
		return 0, nil
	}
	return 2, nil
}

// chunkSize reads a size line of n bytes; 0 when it is not complete.
func chunkSize(b []byte) (size int64, n int, err error) {
	end := bytes.IndexByte(b[:min(len(b), maxChunkLine)], '\n')
	if end < 0 {
		if len(b) >= maxChunkLine {
			return 0, 0, errChunkLine
		}
		return 0, 0, nil
	}
	if end == 0 || b[end-1] != '\r' {
		return 0, 0, errBareLF
	}
	line := b[:end-1]
	digits := 0
	for ; digits < len(line) && hexValue[line[digits]] >= 0; digits++ {
		if digits == 15 {
			return 0, 0, errChunkSize
		}
		size = size<<4 | int64(hexValue[line[digits]])
	}
	switch {
	case digits == 0, digits < len(line) && line[digits] != ';':
		return 0, 0, errChunkSize
	case !httpsyntax.IsValue(line[digits:]):
		return 0, 0, errChunkExt
	}
	return size, end + 1, nil
}

var hexValue = func() (t [256]int8) {
	for c := range t {
		t[c] = -1
	}
	for i, c := range "0123456789abcdef" {
		t[c] = int8(i)
	}
	for i, c := range "ABCDEF" {
		t[c] = int8(10 + i)
	}
	return t
}()

// appendSize appends a chunk's size line.
func appendSize(b []byte, n int) []byte {
	const digits = "0123456789abcdef"
	shift := 0
	for n>>shift > 15 {
		shift += 4
	}
	for ; shift >= 0; shift -= 4 {
		b = append(b, digits[n>>shift&15])
	}
	return append(b, '\r', '\n')
}

// frame makes b[from:to] a chunk where it lies: there is headroom before it and room for CRLF behind it.
func frame(b []byte, from, to int) []byte {
	var line [headroom]byte
	l := appendSize(line[:0], to-from)
	from -= copy(b[from-len(l):], l)
	return append(b[from:to], '\r', '\n')
}
