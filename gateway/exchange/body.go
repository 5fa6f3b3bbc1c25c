package exchange

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/valyala/fasthttp"
)

// errPanic marks a body that ended because producing it panicked.
var errPanic = errors.New("panic while streaming")

// StreamBody answers with body as it comes, size bytes of it or, with size -1, chunked until io.EOF. Every Read is one
// write to the client, so that watch events are not held back. The exchange ends when body has been closed. A panic in
// body breaks this response off and nothing else.
func (x *Exchange) StreamBody(body io.ReadCloser, size int) {
	x.state = inBody
	x.HTTP.Response.ImmediateHeaderFlush = true
	x.HTTP.Response.SetBodyStream(&stream{x: x, body: body}, size)
}

// stream counts a body's bytes and ends the exchange with it.
type stream struct {
	x    *Exchange
	body io.ReadCloser
}

func (s *stream) Read(p []byte) (n int, err error) {
	defer func() {
		if r := recover(); r != nil {
			n, err = 0, fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	n, err = s.body.Read(p)
	s.x.Written += int64(n)
	if err != nil && s.x.peer.endedByServer() {
		err = io.EOF
	}
	return n, err
}

// SupportsBodyWriteTo says whether the body writes itself; fasthttp asks before it calls WriteTo.
func (s *stream) SupportsBodyWriteTo() bool {
	_, ok := s.body.(io.WriterTo)
	return ok
}

// WriteTo has the body write itself. It may write to the client's connection directly: the head has been flushed,
// unless the body's maker has changed ImmediateHeaderFlush.
func (s *stream) WriteTo(w io.Writer) (n int64, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errPanic, r)
		}
	}()
	n, err = s.body.(io.WriterTo).WriteTo(w)
	s.x.Written += n
	if err != nil && s.x.peer.endedByServer() {
		err = nil
	}
	return n, err
}

// Close is called exactly once, by the server, also when the client has left or the answer has no body.
func (s *stream) Close() error {
	if s.x == nil {
		return nil
	}
	x := s.x
	s.x = nil
	if !x.served {
		// Something else became the answer while the handler was still at work: the exchange is the handler's again.
		x.state = inHandler
		return s.body.Close()
	}
	defer x.end()
	return s.body.Close()
}

// Tunnel hands the client's connection to f after the handler has returned: nothing is written by the server any more.
// client reads what had already been received, too. The exchange ends when f returns; before f runs, its strings are
// made to last. HTTP must not be used by f.
func (x *Exchange) Tunnel(f func(client net.Conn) error) {
	x.state = inBody
	x.line = x.Line().clone(fasthttp.StatusSwitchingProtocols)
	x.Info = x.Info.Clone()
	x.Decision.Reason = strings.Clone(x.Decision.Reason)
	x.HTTP.HijackSetNoResponse(true)
	x.HTTP.Hijack(func(c net.Conn) {
		defer x.end()
		defer func() {
			if r := recover(); r != nil {
				x.Reason = fmt.Sprintf("%v: %v", errPanic, r)
			}
		}()
		if err := f(c); err != nil {
			x.Reason = err.Error()
		}
	})
}

// TakeStream takes the answer's streamed body away from it, so that somebody can look at it, or put another one in its
// place with StreamBody; size as there. Who takes it closes it. Nil if the answer has no such body.
func (x *Exchange) TakeStream() (body io.ReadCloser, size int) {
	resp := &x.HTTP.Response
	s, ok := resp.BodyStream().(*stream)
	if !ok || s.x == nil || x.served {
		return nil, 0
	}
	body, size = s.body, resp.Header.ContentLength()
	s.body = io.NopCloser(nil)
	resp.ResetBody() // the exchange is the handler's again
	resp.ImmediateHeaderFlush = false
	return body, size
}
