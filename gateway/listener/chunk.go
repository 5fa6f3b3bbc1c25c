package listener

import "github.com/posternhq/postern/gateway/httpsyntax"

// chunks follows the framing of a chunked body, byte by byte where it matters and in leaps over data. It accepts less
// than RFC 9112 allows: no space around the size, and a short line for size and extensions together.
type chunks struct {
	state   chunkState
	left    int64 // size being read, or bytes of data to come
	line    int   // bytes of the line being read
	trailer int   // bytes of trailers so far
}

type chunkState uint8

const (
	inSize chunkState = iota
	inExtension
	afterSizeCR
	inData
	afterData
	afterDataCR
	atTrailer // at the start of a trailer line, or of the empty line that ends the body
	inTrailerName
	inTrailerValue
	afterTrailerCR
	afterLastCR
)

const (
	maxSizeDigits = 15       // hex digits that fit an int64 for certain
	maxSizeLine   = 128      // size, extensions and CRLF: extensions are ignored, so nobody needs long ones
	maxTrailers   = 8 * 1024 // all trailer lines of a body
)

// advance follows p up to the end of the body: n bytes of p belong to it, done says that it ends there.
func (c *chunks) advance(p []byte) (n int, done bool, bad *refusal) {
	for n < len(p) {
		if c.state == inData {
			leap := min(int64(len(p)-n), c.left)
			n += int(leap)
			if c.left -= leap; c.left == 0 {
				c.state = afterData
			}
			continue
		}
		b := p[n]
		n++
		if c.state == afterLastCR {
			if b != '\n' {
				return n, false, refuseTrailer
			}
			return n, true, nil
		}
		if bad = c.step(b); bad != nil {
			return n, false, bad
		}
	}
	return n, false, nil
}

// step takes one byte that is not data.
func (c *chunks) step(b byte) *refusal {
	if c.state >= atTrailer {
		return c.trailerByte(b)
	}
	switch c.state {
	case inSize, inExtension:
		return c.sizeByte(b)
	case afterSizeCR:
		if b != '\n' {
			return refuseChunk
		}
		c.line, c.state = 0, inData
		if c.left == 0 {
			c.state = atTrailer
		}
	case afterData:
		if b != '\r' {
			return refuseChunk
		}
		c.state = afterDataCR
	case afterDataCR:
		if b != '\n' {
			return refuseChunk
		}
		c.state = inSize
	}
	return nil
}

func (c *chunks) sizeByte(b byte) *refusal {
	c.line++
	if c.line > maxSizeLine {
		return refuseChunk
	}
	if c.state == inExtension {
		if b == '\r' {
			c.state = afterSizeCR
		} else if b < ' ' && b != '\t' || b == 0x7f {
			return refuseChunk
		}
		return nil
	}
	if digit, ok := hexDigit(b); ok && c.line <= maxSizeDigits {
		c.left = c.left<<4 | digit
		return nil
	}
	switch {
	case c.line == 1: // no digit at all
		return refuseChunk
	case b == '\r':
		c.state = afterSizeCR
	case b == ';':
		c.state = inExtension
	default:
		return refuseChunk
	}
	return nil
}

func (c *chunks) trailerByte(b byte) *refusal {
	if c.trailer++; c.trailer > maxTrailers {
		return refuseTrailer
	}
	switch c.state {
	case atTrailer:
		if b == '\r' {
			c.state = afterLastCR
			return nil
		}
		c.state = inTrailerName
		if !httpsyntax.TokenByte[b] {
			return refuseTrailer
		}
	case inTrailerName:
		if b == ':' {
			c.state = inTrailerValue
		} else if !httpsyntax.TokenByte[b] {
			return refuseTrailer
		}
	case inTrailerValue:
		if b == '\r' {
			c.state = afterTrailerCR
		} else if b < ' ' && b != '\t' || b == 0x7f {
			return refuseTrailer
		}
	case afterTrailerCR:
		if b != '\n' {
			return refuseTrailer
		}
		c.state = atTrailer
	}
	return nil
}

func hexDigit(b byte) (int64, bool) {
	switch {
	case '0' <= b && b <= '9':
		return int64(b - '0'), true
	case 'a' <= b|0x20 && b|0x20 <= 'f':
		return int64(b|0x20-'a') + 10, true
	}
	return 0, false
}
