package exchange

import (
	"context"
	"sync"
)

// Canceler is what a leaving client cancels: an upstream call, or a module's request.
type Canceler interface {
	// Cancel is called at most once per registration, from any goroutine, and must not block.
	Cancel()
}

// Peer is the client's end of a connection, as the listener knows it. Its methods work on nil.
type Peer struct {
	mu     sync.Mutex
	gone   bool
	ending bool
	call   Canceler
}

// Hangup says that the client has closed its end, or the connection broke. A half-closed client counts as gone, as it
// does for net/http and nginx: nobody reads answers behind a closed sending side.
func (p *Peer) Hangup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	p.cancel()
}

// End says that the server wants the answer to end: what it waits for is cancelled as if the client had left, but a
// body that breaks off thereby ends as if it were complete. It is for watches, whose clients then begin anew elsewhere.
func (p *Peer) End() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ending = true
	p.cancel()
}

func (p *Peer) cancel() {
	if p.call != nil {
		p.call.Cancel()
		p.call = nil
	}
}

// endedByServer says whether End was called.
func (p *Peer) endedByServer() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ending
}

// Gone says whether the client has left.
func (p *Peer) Gone() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// cancelOnGone replaces the registration by c; nil clears it. When it returns, the former one will not be called any
// more.
func (p *Peer) cancelOnGone(c Canceler) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if (p.gone || p.ending) && c != nil {
		c.Cancel()
		return
	}
	p.call = c
}

// CancelOnGone has c cancelled when the client leaves before the exchange ends. There is one registration per
// exchange, for the stage that answers; nil takes it back. Allocates nothing.
func (x *Exchange) CancelOnGone(c Canceler) { x.peer.cancelOnGone(c) }

// Gone says whether the client has left.
func (x *Exchange) Gone() bool { return x.peer.Gone() }

// canceler makes a context's cancel function a Canceler.
type canceler struct{ cancel context.CancelFunc }

func (c canceler) Cancel() { c.cancel() }

// Context is cancelled when the client leaves or the exchange ends. The first call makes it and takes the exchange's
// one CancelOnGone registration.
func (x *Exchange) Context() context.Context {
	if x.ctx == nil {
		x.ctx, x.cancel.cancel = context.WithCancel(context.Background())
		x.CancelOnGone(x.cancel)
	}
	return x.ctx
}
