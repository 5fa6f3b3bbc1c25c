package module

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/hostabi"
)

// Serve has the module answer x. It returns when the answer is there; at the latest at the module's deadline.
func (g *Generation) Serve(x *exchange.Exchange) {
	g.Stats.Requests.Add(1)
	if !g.declared(x) {
		return
	}
	began := time.Now()
	ok, probe := g.breaker.pass(began)
	switch {
	case !ok:
		g.shed(x)
		return
	case probe:
		g.probe(x)
	default:
		g.answer(x)
	}
	g.Stats.Latency.observe(time.Since(began))
}

// answer has the guest answer x. It says how that ended: Internal when the guest failed.
func (g *Generation) answer(x *exchange.Exchange) hostabi.Code {
	r := newRequest(g, x)
	if v := g.wait(r); v.code != hostabi.OK {
		r.gone(x)
		g.failed(v)
		refuse(x, v)
		return v.code
	}
	handed := false
	defer func() {
		r.gone(x)
		if g.image.async || !handed {
			g.leave()
		}
	}()
	if v := g.rouse(r); v.code != hostabi.OK {
		g.failed(v)
		refuse(x, v)
		return v.code
	}
	if err := g.hand(r); err != nil {
		g.Stats.Failures.Add(1)
		status.Write(x, status.BadGateway, fmt.Sprintf("module %q cannot run: %s", g.Manifest().Name, firstLine(err)))
		return hostabi.Internal
	}
	handed = true
	return g.await(r, x)
}

// leave gives a request's slot back.
func (g *Generation) leave() { <-g.admit }

// wait takes a slot for r: at once, or after a bounded time in a bounded queue.
func (g *Generation) wait(r *request) verdict {
	select {
	case g.admit <- struct{}{}:
		return verdict{}
	default:
	}
	g.reached(LimitRequestsInFlight)
	defer g.queued.Add(-1)
	if g.queued.Add(1) > int64(g.limits.Queue) {
		g.reached(LimitQueue)
		return verdict{hostabi.Busy, "too many requests are waiting for the module"}
	}
	timer := time.NewTimer(g.limits.QueueWait)
	defer timer.Stop()
	select {
	case g.admit <- struct{}{}:
		return verdict{}
	case <-timer.C:
		g.reached(LimitQueueWait)
		return verdict{hostabi.Busy, "the module had no room for the request in time"}
	case <-r.ctx.Done():
		return r.over()
	}
}

// hand gives r to an instance.
func (g *Generation) hand(r *request) error {
	r.id = next31(g.ids.Add(1))
	if !g.image.async {
		return g.workers.hand(g, r)
	}
	return g.shards[g.turn.Add(1)%uint32(len(g.shards))].hand(g, r)
}

// await waits for r's verdict and does on the client's goroutine what the guest asks for.
func (g *Generation) await(r *request, x *exchange.Exchange) hostabi.Code {
	for {
		select {
		case v := <-r.done:
			return g.end(r, x, v)
		case f := <-r.forward:
			if r.pass(x, f) {
				return hostabi.OK
			}
		case <-r.ctx.Done():
			v := r.over()
			select {
			case v = <-r.done: // it came at the same time, and says more
			default:
			}
			return g.end(r, x, v)
		}
	}
}

// end answers x as its verdict says.
func (g *Generation) end(r *request, x *exchange.Exchange, v verdict) hostabi.Code {
	if v.code == hostabi.OK {
		g.Stats.Written.Add(r.answer.size)
		r.answer.send(x)
		return v.code
	}
	g.failed(v)
	refuse(x, v)
	return v.code
}

// failed counts a failure of the module; a client that leaves is none.
func (g *Generation) failed(v verdict) {
	if v.code != hostabi.Canceled {
		g.Stats.Failures.Add(1)
	}
	if v.code == hostabi.Deadline {
		g.reached(LimitDeadline)
	}
}

// pass has the backend answer x; true when it did, or began to. Meanwhile the exchange is the forwarder's alone: a guest
// that asks for it is told Gone.
func (r *request) pass(x *exchange.Exchange, f forward) bool {
	result := service.Failf(hostabi.Internal, "panic while forwarding")
	if f.ctx.Err() != nil || !r.body.TryLock() {
		f.done(service.Failf(hostabi.Canceled, "given up, or the request's body is being read"))
		return false
	}
	defer r.body.Unlock()
	defer func() { f.done(result) }()
	r.lend(nil)
	result = r.gen.engine.services.Load().forward(x, f.call)
	if result.Code == hostabi.OK {
		return true
	}
	r.lend(x)
	// The client's registration was the forwarder's; from here on it is the guest's again.
	x.CancelOnGone(cancelFunc(r.cancel))
	return false
}

// lend changes what the guest sees of the exchange: nothing, or all.
func (r *request) lend(x *exchange.Exchange) {
	r.mu.Lock()
	r.x = x
	r.mu.Unlock()
}

// cancelFunc makes a context's cancel function an exchange.Canceler.
type cancelFunc context.CancelFunc

// Cancel calls f.
func (f cancelFunc) Cancel() { f() }

// over says why a request's context ended.
func (r *request) over() verdict {
	if errors.Is(r.ctx.Err(), context.DeadlineExceeded) {
		return verdict{hostabi.Deadline, "the module did not answer in time"}
	}
	return verdict{hostabi.Canceled, "the client has left"}
}

// refuse answers x with what a verdict means to a client.
func refuse(x *exchange.Exchange, v verdict) {
	switch v.code {
	case hostabi.Busy:
		x.HTTP.Response.Header.Set("Retry-After", "1")
		status.Write(x, status.ServiceUnavailable, v.message)
	case hostabi.Deadline:
		status.Write(x, status.Timeout, v.message)
	case hostabi.Canceled:
		// Nobody reads it; 499 is nginx's code for it, and what the access log shows.
		status.WriteCode(x, 499, v.message)
	default:
		status.Write(x, status.BadGateway, v.message)
	}
}
