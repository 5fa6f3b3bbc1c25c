package listener

import (
	"io"

	"github.com/valyala/fasthttp"
)

// maxHTTP10 is the longest body of unknown length that a client of HTTP/1.0 gets.
const maxHTTP10 = 1 << 20

// answerHTTP10 gives a body of unknown length a length: HTTP/1.0 has no chunks, and fasthttp would send some. So it is
// read first; what does not end within maxHTTP10 is answered by 505.
func (c *conn) answerHTTP10(ctx *fasthttp.RequestCtx) {
	resp := &ctx.Response
	if !resp.IsBodyStream() || resp.Header.ContentLength() >= 0 || ctx.IsHead() {
		return
	}
	if c.lasting {
		refuse10.into(ctx, c.id)
		return
	}
	body, err := io.ReadAll(io.LimitReader(resp.BodyStream(), maxHTTP10+1))
	if err != nil || len(body) > maxHTTP10 {
		refuse10.into(ctx, c.id)
		return
	}
	resp.SetBodyRaw(body)
}
