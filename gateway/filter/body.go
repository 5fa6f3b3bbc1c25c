package filter

import (
	"bytes"
	"io"

	"github.com/posternhq/postern/gateway/exchange"
)

// ReadBody reads the body of the answer that next has left, if it has at most limit bytes: ok, and the answer holds it as
// a buffered one. The bytes are the answer's: to change them, set another body. Otherwise the answer goes on as if nobody
// had looked, what was read of a stream in front of the rest. It waits for the body's end, so it leaves alone what lasts
// as long as the client wants: watches, logs that are followed, tunnels.
func ReadBody(x *exchange.Exchange, limit int) (body []byte, ok bool) {
	resp := &x.HTTP.Response
	switch {
	case x.Info.LongRunning() || x.HTTP.Hijacked():
		return nil, false
	case !resp.IsBodyStream():
		b := resp.Body()
		return b, len(b) <= limit
	case resp.Header.ContentLength() > limit:
		return nil, false
	}
	stream, size := x.TakeStream()
	if stream == nil {
		return nil, false
	}
	b, err := io.ReadAll(io.LimitReader(stream, int64(limit)+1))
	if err == nil && len(b) <= limit {
		if err = stream.Close(); err == nil {
			resp.SetBodyRaw(b)
			return b, true
		}
	}
	var rest io.Reader = stream
	if err != nil {
		rest = failed{err} // the client sees the answer break off where it broke off for us
	}
	x.StreamBody(&again{io.MultiReader(bytes.NewReader(b), rest), stream}, size)
	return nil, false
}

// again is a stream whose beginning has been read.
type again struct {
	io.Reader
	io.Closer
}

type failed struct{ err error }

func (f failed) Read([]byte) (int, error) { return 0, f.err }
