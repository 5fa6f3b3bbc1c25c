// Package guest is the SDK of Postern modules written in Go. A module is a package main that registers handlers in an
// init function; compiled with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared
//
// it is a WebAssembly guest whose handlers run side by side in one instance: what looks like a blocking call parks the
// handler's goroutine. Compiled natively the same package runs under `go test`, with a host of the test's choice.
//
// The package keeps guests small: it imports neither net/http nor encoding/json nor fmt.
package guest

import (
	"errors"
	"strconv"

	"github.com/posternhq/postern/hostabi"
)

// Handler answers one request. An error becomes a Kubernetes Status: see Error.
type Handler func(r *Request, w *Response) error

// Error is an error with an HTTP status. Any other error answers 500, or what Code it wraps means.
type Error struct {
	Status  int
	Message string
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Fail is an error with an HTTP status, 400 to 599.
func Fail(status int, message string) error { return &Error{status, message} }

var routes mux

// Handle registers h for a method ("*" for all) and a path below /kapis/<group>, such as "/v1/nodes/{node}": {name} is one
// segment, {name...} the rest. The most specific pattern wins. Call it from init.
func Handle(method, pattern string, h Handler) { routes.add(method, pattern, h) }

// check is what SelfCheck set.
var check func() error

// SelfCheck has f run when the module is loaded, before any request: an error keeps it from serving. Call it from init.
func SelfCheck(f func() error) { check = f }

// serve answers one exchange, whatever happens in the handler but a crash.
func serve(ex uint32) {
	r := &Request{ex: ex, Context: begin(ex)}
	defer finish(ex)
	breathe(ex)
	w := &Response{ex: ex}
	if err := routes.serve(r, w); err != nil && !w.passed {
		w.fail(err)
	}
	if !w.passed {
		responseEnd(ex)
	}
}

// fail answers with what err means.
func (w *Response) fail(err error) {
	status, message := 500, err.Error()
	var e *Error
	var code hostabi.Code
	var p *passed
	switch {
	case errors.As(err, &p) && w.pass(p.call):
		return
	case errors.As(err, &e):
		status = e.Status
	case errors.As(err, &code):
		status = statusOf(code)
	}
	responseError(w.ex, uint32(status), message)
}

// statusOf is the HTTP status for a failed call.
func statusOf(code hostabi.Code) int {
	switch code {
	case hostabi.BadArgument:
		return 400
	case hostabi.Denied:
		return 403
	case hostabi.NotFound:
		return 404
	case hostabi.Conflict:
		return 409
	case hostabi.TooLarge:
		return 413
	case hostabi.Unavailable, hostabi.Busy:
		return 503
	case hostabi.Deadline:
		return 504
	case hostabi.Upstream:
		return 502
	}
	return 500
}

// seconds renders Unix seconds for a record.
func seconds(t float64) string { return strconv.FormatFloat(t, 'f', -1, 64) }
