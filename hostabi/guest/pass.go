package guest

import (
	"errors"
	"strconv"
)

// Pass marks the error of a call, so that a handler that returns it answers as the backend did: with Kubernetes' own
// Status, its reason and details included, or with 429 and Retry-After. Any other error it leaves as it is. Nothing must
// have been written before.
func Pass(err error) error {
	var call *CallError
	if !errors.As(err, &call) {
		return err
	}
	return &passed{err, call}
}

// passed is an error whose answer goes through.
type passed struct {
	error
	call *CallError
}

// Unwrap is the error itself, for errors.As.
func (p *passed) Unwrap() error { return p.error }

// pass answers as a backend did; false if there is nothing to pass on.
func (w *Response) pass(e *CallError) bool {
	if e.Status < 400 || e.Status > 599 {
		return false
	}
	if after := e.RetryAfter(); after > 0 {
		w.Status(e.Status)
		return w.Header("Retry-After", strconv.Itoa(after)) == nil && w.JSON(`{"kind":"Status","apiVersion":"v1","metadata":{},`+
			`"status":"Failure","message":`+Quote(e.Reason)+`,"reason":"TooManyRequests","code":429}`) == nil
	}
	if e.Data.handle == 0 {
		return false
	}
	if kind, _ := e.Data.Get("/kind"); kind != "Status" {
		return false
	}
	w.Status(e.Status)
	return w.Header("Content-Type", "application/json") == nil && w.Splice(e.Data) == nil
}
