package upstream

import (
	"math"

	"github.com/posternhq/postern/gateway/httpsyntax"
)

const (
	errStatusLine = malformed("the status line is not HTTP/1.x, a code and a reason")
	errStatusCode = malformed("the status code is not of 100 to 599")
	errLength     = malformed("Content-Length is not a number")
	errLengths    = malformed("there are several Content-Length")
	errCoding     = malformed("Transfer-Encoding is not chunked alone")
	errFraming    = malformed("there are both Content-Length and Transfer-Encoding")
	errSwitch     = malformed("the protocol was switched without being asked")
	errNoProtocol = malformed("the protocol was switched without saying to what")
)

// lengths that are not one.
const (
	untilClose = -1
	inChunks   = -2
)

// head is a response's status line and headers, and what they say of the framing. Spans are of the bytes it was read
// from.
type head struct {
	section
	code    int
	reason  span
	old     bool  // HTTP/1.0
	close   bool  // the connection is not used again
	named   bool  // Connection names other headers
	upgrade span  // the value of Upgrade
	length  int64 // of the body; or untilClose, inChunks
}

func (h *head) reset() { *h = head{section: h.section}; h.section.reset() }

// parse takes what is complete in b, which begins with the status line. done: the head is complete.
func (h *head) parse(b []byte) (done bool, err error) {
	if h.code == 0 {
		l, ok, err := h.line(b)
		if !ok || err != nil {
			return false, err
		}
		if err := h.status(b, l); err != nil {
			return false, err
		}
	}
	if done, err = h.read(b); done && err == nil {
		err = h.frame(b)
	}
	return done, err
}

// status reads `HTTP/1.1 200 OK`; the reason may be empty, and the space before it missing.
func (h *head) status(b []byte, l span) error {
	s := l.in(b)
	if len(s) < 12 || string(s[:7]) != "HTTP/1." || s[7] != '0' && s[7] != '1' || s[8] != ' ' {
		return errStatusLine
	}
	h.old = s[7] == '0'
	for _, c := range s[9:12] {
		if c < '0' || c > '9' {
			return errStatusLine
		}
		h.code = h.code*10 + int(c-'0')
	}
	if h.code < 100 || h.code > 599 {
		return errStatusCode
	}
	if len(s) > 12 {
		if s[12] != ' ' || !httpsyntax.IsValue(s[13:]) {
			return errStatusLine
		}
		h.reason = span{l.a + 13, l.b}
	}
	return nil
}

// frame reads what the headers say of the body and the connection: at most one framing, or the response is refused.
func (h *head) frame(b []byte) error {
	h.length = untilClose
	lengths, codings, keep := 0, 0, false
	for _, f := range h.fields {
		name, value := f.name.in(b), f.value.in(b)
		switch {
		case fold(name, "content-length"):
			n, err := parseLength(value)
			if err != nil {
				return err
			}
			lengths++
			h.length = n
		case fold(name, "transfer-encoding"):
			if h.old || !fold(value, "chunked") {
				return errCoding
			}
			codings++
			h.length = inChunks
		case fold(name, "connection"):
			keep = h.connection(value) || keep
		case fold(name, "upgrade"):
			h.upgrade = f.value
		}
	}
	switch {
	case lengths > 1:
		return errLengths
	case codings > 1:
		return errCoding
	case lengths+codings > 1:
		return errFraming
	}
	h.close = h.close || h.old && !keep
	return nil
}

// connection reads a Connection header; keep: it has keep-alive.
func (h *head) connection(list []byte) (keep bool) {
	for len(list) > 0 {
		var item []byte
		item, list = nextItem(list)
		switch {
		case fold(item, "close"):
			h.close = true
		case fold(item, "keep-alive"):
			keep = true
		case len(item) > 0 && !fold(item, "upgrade"):
			h.named = true
		}
	}
	return keep
}

// parseLength reads decimal digits, at most 18 of them, of a number that fits an int.
func parseLength(b []byte) (int64, error) {
	if len(b) == 0 || len(b) > 18 {
		return 0, errLength
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, errLength
		}
		n = n*10 + int64(c-'0')
	}
	if n > math.MaxInt {
		return 0, errLength
	}
	return n, nil
}

// bodiless says whether the response has no body whatever its headers say.
func (h *head) bodiless(toHead bool) bool {
	return toHead || h.code < 200 || h.code == 204 || h.code == 304
}
