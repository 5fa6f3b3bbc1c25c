package upstream

import (
	"errors"
	"fmt"
	"net"
)

// Kind says why a request could not be relayed: what callers branch on.
type Kind uint8

// The kinds of failure, and the HTTP code that each is worth.
const (
	KindUnreachable Kind = iota // connect or TLS handshake failed: 502
	KindClosed                  // the connection broke before the response head: 502
	KindMalformed               // what came is not a response that we accept: 502
	KindTimeout                 // connect, or the response head, took too long: 504
	KindExhausted               // no connection was free in time, or the pool is closed: 503
	KindCanceled                // the client has left: nobody reads an answer
	KindRequest                 // the client's request cannot be forwarded, or its body broke: 400
	KindTooLarge                // the request's body is larger than the exchange allows: 413
	kinds
)

var kindNames = [kinds]string{"unreachable", "closed", "malformed", "timeout", "exhausted", "canceled", "request", "too-large"}

// String is the kind as a word, for metrics.
func (k Kind) String() string { return kindNames[k] }

var kindTexts = [kinds]string{
	"cannot connect to %q: %v",
	"connection to %q broke before the response: %v",
	"cannot accept the response of %q: %v",
	"%q did not answer in time: %v",
	"no connection to %q: %v",
	"request to %q given up: %v",
	"cannot forward the request to %q: %v",
	"cannot forward the request's body to %q: %v",
}

// Error is a request that could not be relayed. The exchange's response has not been touched then.
type Error struct {
	Kind Kind
	Addr string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf(kindTexts[e.Kind], e.Addr, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// fail makes and counts an error of kind.
func (p *Pool) fail(kind Kind, err error) *Error {
	p.errors[kind].Add(1)
	return &Error{Kind: kind, Addr: p.opt.Addr, Err: err}
}

// ioKind is the kind of a failed read or write.
func (c *call) ioKind(err error) Kind {
	var bad malformed
	var timeout net.Error
	switch {
	case c.isCanceled():
		return KindCanceled
	case errors.As(err, &bad), errors.Is(err, errHeadSize):
		return KindMalformed
	case errors.As(err, &timeout) && timeout.Timeout():
		return KindTimeout
	}
	return KindClosed
}

// malformed is what is wrong with bytes from outside.
type malformed string

func (m malformed) Error() string { return string(m) }
