package httpwasm

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// eof is the bit of read_body's result that says that nothing is left.
const eof = 1 << 32

func readBody(c *call, m guestMemory, a []uint64) uint64 {
	c.exchange()
	if a[2] == 0 {
		trap("read_body into a buffer of 0 bytes")
	}
	b := m.bytes(a[1], a[2])
	switch a[0] {
	case ofRequest:
		return c.request.read(c, b)
	case ofResponse:
		return c.response.read(c, b)
	}
	trap("%d is no kind of body", int32(a[0]))
	return 0
}

func writeBody(c *call, m guestMemory, a []uint64) uint64 {
	c.exchange()
	b := m.bytes(a[1], a[2])
	switch a[0] {
	case ofRequest:
		c.before("body")
		c.request.write(c, b)
	case ofResponse:
		c.response.mustHold(c, "body")
		c.response.write(c, b)
	default:
		trap("%d is no kind of body", int32(a[0]))
	}
	c.touched = true
	return 0
}

// received is a body that is read whole, and what the guest has read of it.
type received struct {
	whole bool
	data  []byte
	at    int
}

func (r *received) read(b []byte) uint64 {
	n := copy(b, r.data[r.at:])
	if r.at += n; r.at == len(r.data) {
		return eof | uint64(n)
	}
	return uint64(n)
}

// written is a body that the guest makes.
type written struct {
	any  bool
	made []byte
}

func (w *written) write(b []byte, limit int64) {
	if int64(len(w.made)+len(b)) > limit {
		panic(&refusal{status.BadGateway, "a filter made a body that is too large"})
	}
	w.any, w.made = true, append(w.made, b...)
}

// requestBody is the request's body as the guest sees it, and what it makes of it.
type requestBody struct {
	received
	written
	consumed bool // read without being buffered: what the guest has read is gone
	framed   bool // must be sent in chunks, for trailers
}

func (r *requestBody) read(c *call, b []byte) uint64 {
	if c.after {
		if !c.enabled(bufferRequest) {
			trap("cannot read the request's body any more: buffer_request is not enabled")
		}
		return r.received.read(b) // empty, unless it was read before
	}
	c.touched = true
	if c.enabled(bufferRequest) || r.whole {
		r.load(c)
		return r.received.read(b)
	}
	stream := c.x.HTTP.RequestBodyStream()
	if stream == nil {
		r.load(c)
		r.consumed = true
		return r.received.read(b)
	}
	r.consumed = true
	n, err := io.ReadFull(stream, b)
	switch {
	case err == nil:
		return uint64(n)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return eof | uint64(n)
	}
	panic(&refusal{status.BadRequest, "cannot read the request body"})
}

// load reads the body to its end, or what is left of it.
func (r *requestBody) load(c *call) {
	if r.whole {
		return
	}
	r.whole = true
	stream := c.x.HTTP.RequestBodyStream()
	if stream == nil {
		r.data = bytes.Clone(c.x.HTTP.Request.Body())
		return
	}
	limit := int64(c.g.settings.Limits.RequestBytes)
	var err error
	r.data, err = io.ReadAll(io.LimitReader(stream, limit+1))
	switch {
	case err != nil:
		panic(&refusal{status.BadRequest, "cannot read the request body"})
	case int64(len(r.data)) > limit:
		panic(&refusal{status.RequestEntityTooLarge, "the request body is larger than a filter may buffer"})
	}
}

func (r *requestBody) write(c *call, b []byte) {
	r.written.write(b, int64(c.g.settings.Limits.RequestBytes))
}

// apply makes the body that goes on. What the guest consumed does not.
func (r *requestBody) apply(c *call) {
	body := r.data
	switch {
	case r.any:
		body = r.made
	case r.consumed:
		r.load(c)
		body = r.data[r.at:]
	case !r.whole:
		return
	}
	req := &c.x.HTTP.Request
	if len(body) == 0 {
		body = nil
	}
	if r.framed || hasTrailers(&req.Header) {
		req.SetBodyStream(bytes.NewReader(body), -1)
		c.x.HeadersChanged() // Trailer announces them
		return
	}
	req.SetBodyRaw(body)
	req.Header.SetContentLength(len(body))
}

// responseBody is the answer's body as the guest sees it, and what it makes of it.
type responseBody struct {
	received
	written
	ahead []byte // written before the next handler answered
}

// mustHold traps when what of the answer is another's, and on its way.
func (r *responseBody) mustHold(c *call, what string) {
	if c.after && !c.enabled(bufferResponse) {
		trap("cannot use the answer's %s: buffer_response is not enabled, or the request lasts as long as the client wants", what)
	}
}

func (r *responseBody) read(c *call, b []byte) uint64 {
	r.mustHold(c, "body")
	if !c.after {
		return eof // there is none yet
	}
	r.load(c)
	return r.received.read(b)
}

func (r *responseBody) write(c *call, b []byte) {
	r.written.write(b, int64(c.g.settings.Limits.ResponseBytes))
}

// load takes the body from the next handler, whole.
func (r *responseBody) load(c *call) {
	if r.whole {
		return
	}
	r.whole = true
	body, err := take(c.x, int64(c.g.settings.Limits.ResponseBytes), time.Duration(c.g.settings.Limits.BodyTimeout))
	if err != nil {
		c.touched = true
		panic(err)
	}
	r.data = body
}

// apply makes the answer. Trailers are sent behind a body in chunks.
func (r *responseBody) apply(c *call) error {
	x := c.x
	body := r.data
	switch {
	case x.HTTP.Hijacked():
		return nil
	case len(r.ahead) > 0 && !r.any:
		if x.Info.LongRunning() {
			return &refusal{status.BadGateway, "a filter puts a body in front of one that lasts as long as the client wants"}
		}
		rest, err := r.rest(c)
		if err != nil {
			return err
		}
		body = append(r.ahead, rest...)
	case r.any:
		body = r.made
	case !r.whole || !hasTrailers(&x.HTTP.Response.Header):
		return nil // as it was; to HEAD, with the length of a body that is not there
	}
	resp := &x.HTTP.Response
	x.Written, resp.ImmediateHeaderFlush = 0, false
	if hasTrailers(&resp.Header) {
		x.StreamBody(io.NopCloser(bytes.NewReader(body)), -1)
		return nil
	}
	resp.SetBodyRaw(body)
	return nil
}

// rest is the next handler's body.
func (r *responseBody) rest(c *call) ([]byte, error) {
	if r.whole {
		return r.data, nil
	}
	body, err := take(c.x, int64(c.g.settings.Limits.ResponseBytes), time.Duration(c.g.settings.Limits.BodyTimeout))
	if err != nil {
		return nil, err // not err itself: it would be an error that is not nil
	}
	return body, nil
}

// take reads the answer's body, and makes it one that is no stream. It waits for it, but no longer than d.
func take(x *exchange.Exchange, limit int64, d time.Duration) ([]byte, *refusal) {
	stream, _ := x.TakeStream()
	if stream == nil {
		return bytes.Clone(x.HTTP.Response.Body()), nil
	}
	x.Written = 0
	b := brakeAfter(d, stream)
	body, err := io.ReadAll(io.LimitReader(stream, limit+1))
	late := b.release()
	closed := stream.Close()
	switch {
	case late:
		return nil, &refusal{status.Timeout, "the answer did not come in the time that a filter waits for it"}
	case err != nil || closed != nil:
		return nil, &refusal{status.BadGateway, "the answer broke off"}
	case int64(len(body)) > limit:
		return nil, &refusal{status.BadGateway, "the answer is larger than a filter may buffer"}
	}
	x.HTTP.Response.SetBodyRaw(body)
	return body, nil
}

// brake cancels a stream that takes too long. Nothing is cancelled after release: the call may be another's by then.
type brake struct {
	timer *time.Timer

	mu       sync.Mutex
	released bool
	pulled   bool
}

func brakeAfter(d time.Duration, stream io.Closer) *brake {
	b := new(brake)
	canceler, ok := stream.(exchange.Canceler)
	if !ok {
		return b // made by the gateway itself: it waits for nobody
	}
	b.timer = time.AfterFunc(d, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if !b.released {
			b.pulled = true
			canceler.Cancel()
		}
	})
	return b
}

// release says whether it was too late.
func (b *brake) release() bool {
	if b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.released = true
	return b.pulled
}
