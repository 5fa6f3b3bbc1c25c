package requestinfo

import (
	"errors"
	"math"
	"slices"
	"unicode/utf8"
	"unsafe"
)

// MaxPath bounds the path as received, in bytes. Kubernetes' longest legal path (four names of 253 bytes and a few
// words) is under 1.3 KiB; the rest is room for what follows `proxy`. The query is bounded by the listener's head limit.
const MaxPath = 8 << 10

// maxSegments is how many segments are kept. The longest form has thirteen:
// prefix/clusters/c/group/version/watch/workspaces/w/namespaces/n/resource/name/subresource; no rule looks further.
const maxSegments = 16

// What is wrong with a refused path or query.
var (
	errForm      = errors.New("request target must begin with /")
	errLong      = errors.New("path is longer than 8192 bytes")
	errControl   = errors.New("request target has a control character")
	errLiteral   = errors.New("request target has a space or #, which must be written %20 or %23")
	errEscape    = errors.New("path has an invalid percent escape")
	errUTF8      = errors.New("path is not UTF-8")
	errDots      = errors.New("path has a . or .. segment")
	errEmpty     = errors.New("path has an empty segment")
	errSlash     = errors.New("path has an encoded slash")
	errVerbAlone = errors.New("path names no resource after watch or proxy")
	errParams    = errors.New("query has more than 10000 parameters")
	errSelector  = errors.New("selector is not UTF-8")
)

// span is one segment: text[from:to].
type span struct{ from, to uint16 }

// path is a path decoded once and cut at its slashes, one slash at the end dropped.
type path struct {
	text  string
	spans [maxSegments]span
	n     int // how many of spans
	pos   int // how many of them have been read
	// odd is where the first empty segment or encoded slash is, and oddErr which of them; math.MaxInt if there is
	// none. They are allowed behind `proxy` only, and only the rules of parse.go know where that is.
	odd    int
	oddErr error
}

// byte classes of a raw path.
const (
	plain uint8 = iota
	separator
	escape
	high // part of a UTF-8 sequence
	control
	literal // cannot stand for itself: a space ends the target, a # would begin a fragment
)

var classes = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c == '/':
			t[c] = separator
		case c == '%':
			t[c] = escape
		case c == '#' || c == ' ':
			t[c] = literal
		case c < ' ' || c == 0x7f:
			t[c] = control
		case c >= utf8.RuneSelf:
			t[c] = high
		}
	}
	return t
}()

// decode appends raw's decoded form to dst and cuts it. p.text aliases the result.
func (p *path) decode(dst, raw []byte) ([]byte, error) {
	p.odd = math.MaxInt
	if len(raw) == 0 || raw[0] != '/' {
		return dst, errForm
	}
	if len(raw) > MaxPath {
		return dst, errLong
	}
	base := len(dst)
	dst = slices.Grow(dst, len(raw))[:base+len(raw)]
	text := dst[base:]
	text[0] = '/'
	n, start, ascii := 1, 1, true
	for i := 1; i < len(raw); i++ {
		c := raw[i]
		class := classes[c]
		if class == plain {
			text[n] = c
			n++
			continue
		}
		encoded := class == escape
		if encoded {
			if i+2 >= len(raw) || unhex[raw[i+1]]|unhex[raw[i+2]] > 15 {
				return dst[:base], errEscape
			}
			c = unhex[raw[i+1]]<<4 | unhex[raw[i+2]]
			class = classes[c]
			i += 2
		}
		switch class {
		case control:
			return dst[:base], errControl
		case literal:
			if !encoded {
				return dst[:base], errLiteral
			}
		case high:
			ascii = false
		case separator:
			if encoded {
				p.strange(n, errSlash)
			}
			if err := p.add(text, start, n); err != nil {
				return dst[:base], err
			}
			start = n + 1
		}
		text[n] = c
		n++
	}
	if start < n {
		if err := p.add(text, start, n); err != nil {
			return dst[:base], err
		}
	}
	if !ascii && !utf8.Valid(text[:n]) {
		return dst[:base], errUTF8
	}
	p.text = alias(text[:n])
	return dst[:base+n], nil
}

// add takes note of the segment text[from:to].
func (p *path) add(text []byte, from, to int) error {
	switch {
	case from == to:
		p.strange(from, errEmpty)
	case text[from] == '.' && (to-from == 1 || to-from == 2 && text[from+1] == '.'):
		return errDots
	}
	if p.n < maxSegments {
		p.spans[p.n] = span{uint16(from), uint16(to)}
		p.n++
	}
	return nil
}

// strange remembers the first place that only what follows `proxy` may have.
func (p *path) strange(at int, err error) {
	if at < p.odd {
		p.odd, p.oddErr = at, err
	}
}

// unhex is the value of a hexadecimal digit, 0xff for any other byte.
var unhex = func() (t [256]uint8) {
	for c := range t {
		switch {
		case c >= '0' && c <= '9':
			t[c] = uint8(c - '0')
		case c >= 'a' && c <= 'f':
			t[c] = uint8(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			t[c] = uint8(c - 'A' + 10)
		default:
			t[c] = 0xff
		}
	}
	return t
}()

// alias is b as a string without a copy: it changes when b does.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
