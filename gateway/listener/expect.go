package listener

import (
	"bufio"
	"fmt"
	"io"
	"time"

	"github.com/valyala/fasthttp"
)

// handleExpect serves a request that asks whether to send its body. fasthttp would say "100 Continue" before the
// handler runs; here the whole chain runs first, and the client is told to go on when somebody begins to read the body.
// So a refused upload is never sent. The status returned is the answer's, which has fasthttp send the answer and close
// the connection: a client may have begun to send anyway, and where its next request would begin is uncertain.
func (s *Server) handleExpect(ctx *fasthttp.RequestCtx) int {
	if c := connOf(ctx); c.phase == inBody {
		ctx.Request.SetBodyStream(&askedBody{c: c, head: &ctx.Request.Header}, ctx.Request.Header.ContentLength())
	}
	s.run(ctx, time.Now())
	return ctx.Response.StatusCode()
}

// askedBody is a body that is asked for by its first Read. The connection under it has checked the framing already.
type askedBody struct {
	c       *conn
	head    *fasthttp.RequestHeader // gets the trailers
	in      *bufio.Reader           // nil until the body has been asked for
	chunked bool
	left    int // bytes of the body, or of the current chunk
	err     error
}

func (b *askedBody) Read(p []byte) (n int, err error) {
	if b.err == nil && b.in == nil {
		b.err = b.ask()
	}
	if b.err == nil && b.left == 0 {
		b.err = b.next()
	}
	if b.err != nil {
		return 0, b.err
	}
	n, b.err = b.in.Read(p[:min(len(p), b.left)])
	if b.left -= n; b.left == 0 && b.chunked && b.err == nil {
		_, b.err = b.in.Discard(len("\r\n"))
	}
	return n, b.err
}

func (b *askedBody) ask() error {
	b.chunked = b.head.ContentLength() < 0
	b.left = max(b.head.ContentLength(), 0)
	b.in = bufio.NewReaderSize(b.c, 4096)
	b.c.asked = true
	if _, err := io.WriteString(b.c, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
		return fmt.Errorf("cannot ask for the request body: %w", err)
	}
	return nil
}

// next goes to the next chunk, or ends the body.
func (b *askedBody) next() error {
	if !b.chunked {
		return io.EOF
	}
	line, err := b.in.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("cannot read the request body: %w", err)
	}
	for _, c := range line {
		digit, ok := hexDigit(c)
		if !ok {
			break
		}
		b.left = b.left<<4 | int(digit)
	}
	if b.left > 0 {
		return nil
	}
	if err := b.head.ReadTrailer(b.in); err != nil {
		return fmt.Errorf("cannot read the trailers of the request body: %w", err)
	}
	return io.EOF
}
