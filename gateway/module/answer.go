package module

import (
	"bytes"
	"io"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/hostabi"
)

// answer is what a guest has written so far. Nothing of it reaches the client before the guest ends the exchange, so a
// guest that dies half-way leaves a clean error behind.
type answer struct {
	status  int
	headers []header
	parts   [][]byte // in order; spliced ones are not copied
	open    bool     // the last part is the answer's own: more may be put behind it
	size    int64
	most    int64
	failure string // response_error's message, with status
	failed  bool
}

type header struct{ name, value string }

// Sizes of parts, bytes. What is smaller than minSplice is copied, so that a guest that writes byte by byte cannot make
// a list of parts that is larger than its answer; what is copied is put together up to maxPart.
const (
	minSplice = 512
	maxPart   = 64 << 10
)

// write appends a copy of b.
func (a *answer) write(b []byte) hostabi.Code {
	if a.size+int64(len(b)) > a.most {
		return hostabi.TooLarge
	}
	a.size += int64(len(b))
	if last := len(a.parts) - 1; a.open && len(a.parts[last])+len(b) <= maxPart {
		a.parts[last] = append(a.parts[last], b...)
		return hostabi.OK
	}
	if len(b) > 0 {
		a.parts, a.open = append(a.parts, bytes.Clone(b)), true
	}
	return hostabi.OK
}

// splice appends b, which the answer keeps and must not change any more.
func (a *answer) splice(b []byte) hostabi.Code {
	if len(b) < minSplice {
		return a.write(b)
	}
	if a.size+int64(len(b)) > a.most {
		return hostabi.TooLarge
	}
	a.parts, a.open = append(a.parts, b), false
	a.size += int64(len(b))
	return hostabi.OK
}

// set sets a header. The list is short: a scan beats a map.
func (a *answer) set(name, value string) hostabi.Code {
	if !validHeader(name, value) {
		return hostabi.BadArgument
	}
	for i := range a.headers {
		if strings.EqualFold(a.headers[i].name, name) {
			a.headers[i].value = value
			return hostabi.OK
		}
	}
	if len(a.headers) == maxHeaders {
		return hostabi.TooLarge
	}
	a.headers = append(a.headers, header{name, value})
	return hostabi.OK
}

// fail replaces the answer by an error.
func (a *answer) fail(code int, message string) {
	*a = answer{status: code, most: a.most, failed: true, failure: message}
}

// send makes the answer x's response.
func (a *answer) send(x *exchange.Exchange) {
	if a.failed {
		status.WriteCode(x, a.status, a.failure)
		return
	}
	resp := &x.HTTP.Response
	resp.SetStatusCode(a.status)
	for _, h := range a.headers {
		resp.Header.Set(h.name, h.value)
	}
	if a.size <= smallAnswer {
		for _, p := range a.parts {
			resp.AppendBody(p)
		}
		x.Written = a.size
		return
	}
	x.StreamBody(a.reader(), int(a.size))
}

// smallAnswer is the size up to which an answer is copied together and sent in one write, bytes.
const smallAnswer = 16 << 10

func (a *answer) reader() io.ReadCloser {
	readers := make([]io.Reader, len(a.parts))
	for i, p := range a.parts {
		readers[i] = bytes.NewReader(p)
	}
	return io.NopCloser(io.MultiReader(readers...))
}
