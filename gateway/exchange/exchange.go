// Package exchange holds what one request carries through the chain: its id, what its path says, who asks, what was
// decided, and how it ended. It is the bottom of the gateway's import graph: stages share these types and nothing else.
package exchange

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// Handler answers an exchange. It must not keep x after the exchange has ended.
type Handler func(x *Exchange)

// Stage is one link of the chain.
type Stage interface {
	// Name is the stage's name in logs, metrics and findings: one lower-case word.
	Name() string
	// Serve answers x, or passes it on by calling next once.
	Serve(x *Exchange, next Handler)
	// Explain says what Serve would do with x. It has no side effect and calls no backend.
	Explain(x *Exchange) Finding
}

// Verdict is what a stage does with an exchange.
type Verdict string

// The three verdicts of a stage.
const (
	Pass   Verdict = "pass"   // hands it to the next stage
	Refuse Verdict = "refuse" // ends it with an error
	Answer Verdict = "answer" // ends it with an answer
)

// Finding is one stage's word on an exchange, for `postern explain`.
type Finding struct {
	Stage   string         `json:"stage"`
	Verdict Verdict        `json:"verdict"`
	Code    int            `json:"code,omitempty"` // HTTP status of a refusal
	Reason  string         `json:"reason,omitempty"`
	Details map[string]any `json:"details,omitempty"`
}

// User is who asks. Values are immutable and shared between exchanges.
type User struct {
	Name   string              `json:"name"`
	UID    string              `json:"uid,omitempty"`
	Groups []string            `json:"groups,omitempty"`
	Extra  map[string][]string `json:"extra,omitempty"`
	// Method is how the user was authenticated: anonymous, basic, bearer, oidc, serviceaccount or x509.
	Method string `json:"method,omitempty"`
	// Session is the id of the session that the user's token is of; empty without one.
	Session string `json:"-"`
}

// Decision is what authorization said.
type Decision struct {
	Allowed bool
	// Reason is why, where Grant does not say it. It may alias the exchange's buffers.
	Reason string
	// Grant is by what a user is allowed; nil for nobody in particular.
	Grant Grant
}

// Grant is what gives users rights: a binding. It is kept as it is, because next to nobody asks for the sentence.
type Grant interface {
	// Why names it, for a user whom it allows something.
	Why(user *User) string
}

// Why is the reason in words: the binding that allowed, or what was missing.
func (d Decision) Why(user *User) string {
	if d.Grant != nil {
		return d.Grant.Why(user)
	}
	return d.Reason
}

// Exchange is one request and its answer. Exchanges are pooled: nothing of one may be used after it has ended.
type Exchange struct {
	HTTP     *fasthttp.RequestCtx
	ID       string    // request id, sent back as X-Request-Id
	Received time.Time // when the head had been read
	Info     RequestInfo
	User     *User // nil before authentication
	// Session is the login that the request's token comes from; empty: no token of ours, or one without a session.
	Session string
	// Impersonator is who asked, when User is somebody whom the asker may impersonate; else nil.
	Impersonator *User
	Decision     Decision

	// Handled is the name of the stage that answered; Reason is why it refused, for the access log.
	Handled string
	Reason  string
	// Written counts response body bytes, Upstream is the time until the upstream's response head.
	Written  int64
	Upstream time.Duration

	// MaxBody is how many bytes of the request's body may go on to a backend; 0: any number.
	MaxBody int64
	// MaxRead is how many bytes of it a module may read, if that is less than its own limit; 0: the limit alone.
	MaxRead int64

	// Passes counts how often filters have passed x on, Inside how many of them wait for that to return.
	Passes, Inside int

	// Path is scratch for the decoded path that Info's strings alias.
	Path []byte

	client  netip.AddrPort // see SetClient
	line    *Line
	peer    *Peer
	onEnd   []func(*Exchange)
	state   state
	served  bool   // the handler has returned
	changed bool   // see HeadersChanged
	fields  []byte // scratch of HeaderLines
	ctx     context.Context
	cancel  canceler
}

// state says who ends the exchange: its handler, or the body or tunnel that outlives the handler.
type state uint8

const (
	inHandler state = iota
	inBody
	ended
)

var pool = sync.Pool{New: func() any { return new(Exchange) }}

// Run makes an exchange of ctx, serves it, and ends it, unless a body stream or a tunnel outlives the handler: then
// that ends it. peer may be nil: a client whose leaving nobody can notice, as in tests.
func Run(ctx *fasthttp.RequestCtx, peer *Peer, received time.Time, serve Handler) {
	x := pool.Get().(*Exchange)
	x.HTTP, x.peer, x.Received = ctx, peer, received
	serve(x)
	x.served = true
	if x.state == inHandler {
		x.end()
	}
}

// OnEnd has f called once when the exchange has ended, body and tunnel included. The last one added runs first.
func (x *Exchange) OnEnd(f func(*Exchange)) { x.onEnd = append(x.onEnd, f) }

// end runs what waits for the end and gives x back. Only its owner (see state) may call it.
func (x *Exchange) end() {
	x.state = ended
	x.peer.cancelOnGone(nil)
	for i := len(x.onEnd) - 1; i >= 0; i-- {
		x.onEnd[i](x)
	}
	if x.ctx != nil {
		x.cancel.cancel()
	}
	*x = Exchange{Path: x.Path[:0], onEnd: x.onEnd[:0], fields: x.fields[:0]}
	pool.Put(x)
}
