package upstream

import (
	"bytes"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

const (
	errBareLF   = malformed("a line ends without CR")
	errNoColon  = malformed("a header line has no colon")
	errName     = malformed("a header name has a byte that is not allowed")
	errFieldVal = malformed("a header value has a byte that is not allowed")
	errFields   = malformed("too many header lines")
)

// maxFields bounds the lines of a head or a trailer section.
const maxFields = 512

// span is a part of a buffer by its offsets, which hold when the buffer moves.
type span struct{ a, b int32 }

func (s span) in(b []byte) []byte { return b[s.a:s.b] }

type field struct{ name, value span }

// section reads header lines up to the empty one: CRLF ends a line and nothing else does, names are tokens directly
// followed by the colon, there is no folding.
type section struct {
	fields []field
	start  int // of the line that is being read
	seen   int // bytes that have been searched for the line's end
}

func (s *section) reset() { s.fields, s.start, s.seen = s.fields[:0], 0, 0 }

// line returns the next complete line of b as offsets, without CRLF; ok is false when more bytes are needed.
func (s *section) line(b []byte) (l span, ok bool, err error) {
	i := bytes.IndexByte(b[s.seen:], '\n')
	if i < 0 {
		s.seen = len(b)
		return span{}, false, nil
	}
	end := s.seen + i
	if end == s.start || b[end-1] != '\r' {
		return span{}, false, errBareLF
	}
	l = span{int32(s.start), int32(end - 1)}
	s.start, s.seen = end+1, end+1
	return l, true, nil
}

// read takes the lines that are complete in b, which begins where it began before. done: the empty line was there.
func (s *section) read(b []byte) (done bool, err error) {
	for {
		l, ok, err := s.line(b)
		if !ok || err != nil {
			return false, err
		}
		if l.a == l.b {
			return true, nil
		}
		if err := s.add(b, l); err != nil {
			return false, err
		}
	}
}

func (s *section) add(b []byte, l span) error {
	line := l.in(b)
	colon := bytes.IndexByte(line, ':')
	switch {
	case colon < 0:
		return errNoColon
	case !httpsyntax.IsToken(line[:colon]):
		return errName
	case !httpsyntax.IsValue(line[colon+1:]):
		return errFieldVal
	case len(s.fields) == maxFields:
		return errFields
	}
	v, end := colon+1, len(line)
	for v < end && (line[v] == ' ' || line[v] == '\t') {
		v++
	}
	for end > v && (line[end-1] == ' ' || line[end-1] == '\t') {
		end--
	}
	s.fields = append(s.fields, field{
		name:  span{l.a, l.a + int32(colon)},
		value: span{l.a + int32(v), l.a + int32(end)},
	})
	return nil
}
