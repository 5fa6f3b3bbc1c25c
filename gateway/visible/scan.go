package visible

import (
	"bytes"
	"errors"
	"io"
)

var (
	errSyntax = errors.New("the answer is not the JSON that was expected")
	errSize   = errors.New("the answer has a value that is too long")
)

// scan finds the end of one JSON value whose bytes come in pieces. It counts brackets and knows strings; it does not check
// more: what it reads is kube-apiserver's own.
type scan struct {
	depth    int
	inString bool
	escaped  bool
	scalar   bool
	begun    bool
}

// feed takes the next bytes of the value: n of them belong to it, done says that it ends there. White space in front
// belongs to it. A number, true, false or null ends before the byte behind it.
func (s *scan) feed(b []byte) (n int, done bool) {
	for n < len(b) {
		switch {
		case s.inString:
			n += s.skipString(b[n:])
		case s.depth > 0:
			n += s.skipInside(b[n:])
		default:
			if end := s.atTop(b[n]); end {
				return n, true
			}
			n++
			continue
		}
		if s.depth == 0 && !s.inString {
			return n, true
		}
	}
	return n, false
}

// atTop takes a byte outside of brackets and strings; end: the value ends before it.
func (s *scan) atTop(c byte) (end bool) {
	switch c {
	case '"':
		if s.scalar {
			return true
		}
		s.begun, s.inString = true, true
	case '{', '[':
		if s.scalar {
			return true
		}
		s.begun = true
		s.depth++
	case '}', ']', ',', ':':
		return true
	case ' ', '\t', '\r', '\n':
		return s.begun
	default:
		s.begun, s.scalar = true, true
	}
	return false
}

// skipInside goes to the next string in brackets, or to behind the last of them.
func (s *scan) skipInside(b []byte) int {
	depth := s.depth
	for i, c := range b {
		switch c {
		case '"':
			s.depth, s.inString = depth, true
			return i + 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.depth = 0
				return i + 1
			}
		}
	}
	s.depth = depth
	return len(b)
}

// shortString is up to where a string is read byte by byte: most are shorter, and a search would cost more to begin.
const shortString = 32

// skipString goes to behind the string's end, or to the end of b.
func (s *scan) skipString(b []byte) int {
	n := 0
	if s.escaped {
		s.escaped = false
		n = 1
	}
	for short := n + shortString; n < len(b) && n < short; n++ {
		switch b[n] {
		case '"':
			s.inString = false
			return n + 1
		case '\\':
			n++
		}
	}
	for n < len(b) {
		end := bytes.IndexByte(b[n:], '"')
		in := b[n:]
		if end >= 0 {
			in = b[n : n+end]
		}
		if slash := bytes.IndexByte(in, '\\'); slash >= 0 {
			n += slash + 2
			continue
		}
		if end < 0 {
			return len(b)
		}
		s.inString = false
		return n + end + 1
	}
	s.escaped = n > len(b)
	return len(b)
}

// maxValue bounds one value, in bytes: etcd stores 1.5 MiB of an object by default, and a Table's row repeats parts of it.
const maxValue = 16 << 20

const (
	firstBuffer = 4 << 10 // a reader's first, which a watch holds for hours
	keptBuffer  = 8 << 10 // what one has grown beyond is given back when it is empty
)

// values reads JSON from r piece by piece, with no more in memory than the value it is at.
type values struct {
	r    io.Reader
	b    []byte
	from int // what has been read and not been taken begins here
	err  error
}

func newValues(r io.Reader) *values { return &values{r: r, b: make([]byte, 0, firstBuffer)} }

// fill reads more. What has been taken is overwritten; the buffer grows when one value fills it.
func (v *values) fill() error {
	if v.err != nil {
		return v.err
	}
	if v.from > 0 && len(v.b) == cap(v.b) {
		v.b = v.b[:copy(v.b, v.b[v.from:])]
		v.from = 0
	}
	if len(v.b) == cap(v.b) {
		if len(v.b) >= maxValue {
			return errSize
		}
		v.b = append(make([]byte, 0, 2*cap(v.b)), v.b...)
	}
	n, err := v.r.Read(v.b[len(v.b):cap(v.b)])
	v.b = v.b[:len(v.b)+n]
	v.err = err
	if n > 0 {
		return nil
	}
	return err
}

// peek is the next byte that is not white space; it stays.
func (v *values) peek() (byte, error) {
	for {
		for v.from < len(v.b) {
			switch c := v.b[v.from]; c {
			case ' ', '\t', '\r', '\n':
				v.from++
			default:
				return c, nil
			}
		}
		v.from = 0
		if v.b = v.b[:0]; cap(v.b) > keptBuffer {
			v.b = make([]byte, 0, firstBuffer)
		}
		if err := v.fill(); err != nil {
			return 0, err
		}
	}
}

// expect takes the byte c.
func (v *values) expect(c byte) error {
	got, err := v.peek()
	if err == nil && got != c {
		err = errSyntax
	}
	if err == nil {
		v.from++
	}
	return unexpected(err)
}

// value takes the next value: its bytes are valid until the next call. io.EOF: there is none.
func (v *values) value() ([]byte, error) {
	if _, err := v.peek(); err != nil {
		return nil, err
	}
	var s scan
	for at := v.from; ; {
		n, done := s.feed(v.b[at:])
		at += n
		if done {
			value := v.b[v.from:at]
			if v.from = at; len(value) == 0 {
				return nil, errSyntax
			}
			return value, nil
		}
		before := v.from
		if err := v.fill(); err != nil {
			return nil, unexpected(err)
		}
		at -= before - v.from
	}
}

// line is value with a line's end behind it, where that has been read, too.
func (v *values) line(value []byte) ([]byte, bool) {
	if v.from < len(v.b) && v.b[v.from] == '\n' {
		v.from++
		return value[:len(value)+1], true
	}
	return value, false
}

// unexpected is err for an input that must not end yet.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
