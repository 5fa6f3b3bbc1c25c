// Package status writes refusals and errors the way Kubernetes does: as a Status object, which kubectl and client-go
// print and branch on, with the request's id for whoever has to look it up.
package status

import (
	"strconv"
	"unicode/utf8"

	"github.com/posternhq/postern/gateway/exchange"
)

// Reason is the machine-readable word of a Status: the closed list of Kubernetes' metav1.StatusReason.
type Reason string

// The reasons the gateway gives, with the HTTP code each goes with.
const (
	BadRequest            Reason = "BadRequest"            // 400
	Unauthorized          Reason = "Unauthorized"          // 401
	Forbidden             Reason = "Forbidden"             // 403
	NotFound              Reason = "NotFound"              // 404
	MethodNotAllowed      Reason = "MethodNotAllowed"      // 405
	NotAcceptable         Reason = "NotAcceptable"         // 406
	Expired               Reason = "Expired"               // 410
	RequestEntityTooLarge Reason = "RequestEntityTooLarge" // 413
	UnsupportedMediaType  Reason = "UnsupportedMediaType"  // 415
	Invalid               Reason = "Invalid"               // 422
	TooManyRequests       Reason = "TooManyRequests"       // 429
	InternalError         Reason = "InternalError"         // 500
	BadGateway            Reason = "BadGateway"            // 502; not of Kubernetes, which never proxies for others
	ServiceUnavailable    Reason = "ServiceUnavailable"    // 503
	Timeout               Reason = "Timeout"               // 504
)

var codes = map[Reason]int{
	BadRequest: 400, Unauthorized: 401, Forbidden: 403, NotFound: 404, MethodNotAllowed: 405, NotAcceptable: 406,
	Expired:               410,
	RequestEntityTooLarge: 413, UnsupportedMediaType: 415, Invalid: 422, TooManyRequests: 429, InternalError: 500, BadGateway: 502, ServiceUnavailable: 503, Timeout: 504,
}

// Code is the HTTP status code that goes with r; 500 for a reason that is not of the list.
func (r Reason) Code() int {
	if c, ok := codes[r]; ok {
		return c
	}
	return 500
}

// For is the reason that goes with an HTTP status code: the nearest of the list.
func For(code int) Reason {
	for r, c := range codes {
		if c == code {
			return r
		}
	}
	if code >= 400 && code < 500 {
		return BadRequest
	}
	return InternalError
}

// Write makes x's answer a Status with reason, the code that goes with it, and message. What the answer held before is
// dropped. The connection stays open.
func Write(x *exchange.Exchange, reason Reason, message string) {
	write(x, reason, reason.Code(), message)
}

// WriteCode is Write for an HTTP status code, 400 to 599, with the reason nearest to it.
func WriteCode(x *exchange.Exchange, code int, message string) { write(x, For(code), code, message) }

func write(x *exchange.Exchange, reason Reason, code int, message string) {
	resp := &x.HTTP.Response
	resp.ResetBody()
	resp.Header.SetContentType("application/json")
	resp.SetStatusCode(code)
	resp.SetBodyRaw(Append(nil, reason, code, message, x.ID, x.Info))
	x.Reason = message
}

// Append appends the Status object to b: compact JSON, with details of the resource asked for and the request id as
// a cause that no client acts on.
func Append(b []byte, reason Reason, code int, message, requestID string, info exchange.RequestInfo) []byte {
	b = append(b, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":`...)
	b = appendString(b, message)
	b = append(b, `,"reason":"`...)
	b = append(b, reason...)
	b = append(b, `","details":{`...)
	b = appendField(b, "name", info.Name)
	b = appendField(b, "group", info.APIGroup)
	b = appendField(b, "kind", info.Resource)
	b = append(b, `"causes":[{"reason":"RequestId","message":`...)
	b = appendString(b, requestID)
	b = append(b, `}]},"code":`...)
	b = strconv.AppendInt(b, int64(code), 10)
	return append(b, '}', '\n')
}

// appendField appends `"key":"value",` unless value is empty.
func appendField(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, '"')
	b = append(b, key...)
	b = append(b, `":`...)
	return append(appendString(b, value), ',')
}

// appendString appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
		i += n
	}
	return append(b, '"')
}
