package listener

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// refusal is why a request is not served: an answer of the listener's own, after which the connection is closed.
type refusal struct {
	code    int
	reason  string // of a Kubernetes Status
	message string // plain ASCII without quotes: it goes into JSON as it is
}

func (r *refusal) Error() string { return fmt.Sprintf("cannot accept the request: %s", r.message) }

func bad(message string) *refusal { return &refusal{400, "BadRequest", message} }

var (
	refuseBareLF  = bad("a line of the head does not end in CR LF")
	refuseLine    = bad("malformed request line")
	refuseMethod  = bad("malformed method")
	refuseTarget  = bad("the request target is not a path")
	refuseFold    = bad("a header line is folded")
	refuseName    = bad("malformed header name")
	refuseValue   = bad("a header value has control bytes")
	refuseHost    = bad("the Host header is missing, repeated or malformed")
	refuseLength  = bad("the Content-Length header is repeated or malformed")
	refuseCoding  = bad("Transfer-Encoding is something else than chunked, stands beside Content-Length, or is in HTTP/1.0")
	refuseUpgrade = bad("a request for another protocol cannot have a body")
	refuseChunk   = bad("malformed chunk")
	refuseTrailer = bad("malformed or too long trailer")
	refuseShort   = bad("the body ended before its announced length")
	refusePlain   = bad("plain HTTP was sent to a TLS port")
	refuseVerb    = &refusal{405, "MethodNotAllowed", "this method is not served"}
	refuseSlow    = &refusal{408, "Timeout", "the request did not arrive in time"}
	refuseExpect  = &refusal{417, "BadRequest", "only 100-continue can be expected"}
	refuseLong    = &refusal{431, "RequestEntityTooLarge", "the head is too long"}
	refuseVersion = &refusal{505, "BadRequest", "only HTTP/1.0 and HTTP/1.1 are served"}
	refuse10      = &refusal{505, "BadRequest", "this answer has no length beforehand and needs HTTP/1.1"}
	refuseFull    = &refusal{503, "ServiceUnavailable", "too many connections"}
	refuseIP      = &refusal{429, "TooManyRequests", "too many connections from this address"}
	// notWanted is not an answer: who serves the request has one, and has set a read deadline to be rid of the body.
	notWanted   = &refusal{413, "RequestEntityTooLarge", "the rest of the body is not wanted"}
	refusePanic = &refusal{500, "InternalError", "the gateway failed to serve this request; its log says why"}
)

// refusalOf is the refusal that goes with an error of reading a request, fasthttp's own ones included.
func refusalOf(err error) *refusal {
	var r *refusal
	var small *fasthttp.ErrSmallBuffer
	switch {
	case errors.As(err, &r):
		return r
	case errors.As(err, &small):
		return refuseLong
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refuseSlow
	}
	return bad("malformed request")
}

// appendStatus appends r as a Kubernetes Status with the request's id. It has an own form since package status knows
// only the codes of Kubernetes, and 408, 417, 431 and 505 are not of them.
func (r *refusal) appendStatus(b []byte, id string) []byte {
	b = append(b, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"`...)
	b = append(b, r.message...)
	b = append(b, `","reason":"`...)
	b = append(b, r.reason...)
	b = append(b, `","details":{"causes":[{"reason":"RequestId","message":"`...)
	b = append(b, id...)
	b = append(b, `"}]},"code":`...)
	b = strconv.AppendInt(b, int64(r.code), 10)
	return append(b, '}', '\n')
}

// answer is r as a whole HTTP response, for where fasthttp does not write one.
func (r *refusal) answer(id string) []byte {
	body := r.appendStatus(nil, id)
	b := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nDate: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n",
		r.code, fasthttp.StatusMessage(r.code), time.Now().UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT"), len(body))
	b = append(b, requestIDHeader+": "+id+"\r\n"+r.more()+"Connection: close\r\n\r\n"...)
	return append(b, body...)
}

// more is the header line that r's code asks for.
func (r *refusal) more() string {
	switch r.code {
	case 405:
		return "Allow: GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE\r\n"
	case 429, 503:
		return "Retry-After: 1\r\n"
	}
	return ""
}

// into makes r the response of ctx and has the connection closed after it.
func (r *refusal) into(ctx *fasthttp.RequestCtx, id string) {
	resp := &ctx.Response
	resp.SetStatusCode(r.code)
	resp.ResetBody()
	resp.Header.Reset()
	resp.SetStatusCode(r.code)
	resp.Header.SetContentType("application/json")
	resp.Header.Set(requestIDHeader, id)
	resp.SetBodyRaw(r.appendStatus(nil, id))
	ctx.SetConnectionClose()
}
