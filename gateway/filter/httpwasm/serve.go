package httpwasm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/status"
)

// Serve has the guest see x. It holds an instance from handle_request to handle_response, which is when the answer's head
// is there: what comes behind that, however long, needs none.
func (f *Filter) Serve(x *exchange.Exchange, next exchange.Handler) {
	g := f.acquire()
	defer g.release()
	lasting := x.Info.LongRunning()
	if err := g.pool.enter(x, f.wait); err != nil {
		f.failed(x, next, err, false)
		return
	}
	v := g.serve(x, next, lasting)
	if v.err != nil {
		f.traps.Inc()
	}
	if v.err != nil && !v.answered {
		f.failed(x, next, v.err, v.touched)
	} else if v.err != nil {
		f.spoiled(x, v.err, v.touched)
	}
}

// acquire is the generation that serves now. One that is closed between the look and the share has a successor.
func (f *Filter) acquire() *generation {
	for {
		if g := f.current.Load(); g.shares.Take() {
			return g
		}
	}
}

// verdict is how an exchange in a guest ended.
type verdict struct {
	err      error
	touched  bool // the guest has changed, or read, what others would want as it was
	answered bool // the next handler has answered, or x was refused
}

// serve runs x through an instance, in the slot that it has.
func (g *generation) serve(x *exchange.Exchange, next exchange.Handler, lasting bool) (v verdict) {
	defer g.pool.leave(lasting)
	i, err := g.pool.take(g)
	if err != nil {
		return verdict{err: err}
	}
	c := &i.call
	c.begin(x, i.features)
	defer func() {
		if v.err != nil {
			i.fail(v.err)
		}
		v.touched = c.touched
		c.end()
		g.pool.put(i)
	}()
	ctx, proceed, err := i.handleRequest()
	switch {
	case err != nil:
		return verdict{err: err}
	case !proceed:
		return verdict{err: c.response.apply(c), answered: true}
	}
	if ok, err := c.handOn(); err != nil || !ok {
		return verdict{err: err, answered: !ok}
	}
	return verdict{err: i.pass(x, next, ctx), answered: true}
}

// begin makes c about x.
func (c *call) begin(x *exchange.Exchange, features uint32) {
	*c = call{g: c.g, x: x, features: features, names: c.names[:0]}
}

// end forgets the exchange: its buffers are another's soon.
func (c *call) end() {
	clear(c.names[:cap(c.names)])
	*c = call{g: c.g, names: c.names[:0]}
}

// handleRequest asks the guest what becomes of the request: whether it goes on, and a number for handleResponse.
func (i *instance) handleRequest() (ctx uint32, proceed bool, err error) {
	if err := i.process.Call(i.request, i.stack[:1]); err != nil {
		return 0, false, err
	}
	return uint32(i.stack[0] >> 32), uint32(i.stack[0]) == 1, nil
}

// handOn makes the request what the guest wants it to be. ok is false when it has been refused.
func (c *call) handOn() (ok bool, err error) {
	defer func() {
		if r, caught := recover().(*refusal); caught { // of what is read of the body only now
			err = r
		}
	}()
	c.request.apply(c)
	c.response.ahead, c.response.written = c.response.made, written{}
	if c.reread && !c.g.reread(c.x) {
		return false, nil
	}
	return true, nil
}

// pass has the next handler answer, and the guest see the answer. When the next handler panics, the guest is told of an
// error, to clean up, and the panic goes on.
func (i *instance) pass(x *exchange.Exchange, next exchange.Handler, ctx uint32) error {
	c := &i.call
	returned := false
	defer func() {
		if !returned {
			c.after = true
			if err := i.handleResponse(ctx, true); err != nil {
				i.fail(err)
			}
		}
	}()
	next(x)
	returned, c.after, c.touched = true, true, false
	if err := i.handleResponse(ctx, false); err != nil {
		return err
	}
	return c.response.apply(c)
}

func (i *instance) handleResponse(ctx uint32, failed bool) error {
	i.stack[0], i.stack[1] = uint64(ctx), 0
	if failed {
		i.stack[1] = 1
	}
	return i.process.Call(i.response, i.stack[:2])
}

// fail ends the instance: what trapped must not run again.
func (i *instance) fail(err error) {
	i.broken = true
	var r *refusal
	if errors.As(err, &r) {
		i.blameless = true
		return
	}
	i.call.g.program.Failed(err)
}

// failed answers x in the guest's place, or passes it on if that is wanted and possible.
func (f *Filter) failed(x *exchange.Exchange, next exchange.Handler, err error, touched bool) {
	var r *refusal
	if f.settings.FailOpen && !touched && !errors.As(err, &r) {
		f.open.Inc()
		next(x)
		return
	}
	f.refuse(x, err)
}

// spoiled takes an answer back that the guest has not finished with, unless it may pass as it is.
func (f *Filter) spoiled(x *exchange.Exchange, err error, touched bool) {
	if f.settings.FailOpen && !touched {
		f.open.Inc()
		return
	}
	if x.HTTP.Hijacked() {
		return // a tunnel stands, and the guest could not have changed it
	}
	x.HTTP.Response.Header.Reset()
	x.HTTP.Response.Header.DisableNormalizing()
	f.refuse(x, err)
}

func (f *Filter) refuse(x *exchange.Exchange, err error) {
	var r *refusal
	switch {
	case errors.As(err, &r):
		status.Write(x, r.reason, r.message)
	case errors.Is(err, errFull):
		f.busy.Inc()
		status.Write(x, status.ServiceUnavailable, err.Error())
		x.HTTP.Response.Header.Set("Retry-After", "1") // seconds
	case module.OverBudget(err):
		status.Write(x, status.Timeout, fmt.Sprintf("filter %q did not come to an end in time", f.name))
	default:
		status.Write(x, status.BadGateway, fmt.Sprintf("filter %q failed", f.name))
	}
	x.Written = 0
	x.Handled = "filter/" + f.name
	x.Reason = firstLine(err) // for the log: the client learns no more than that the filter failed
}

// firstLine leaves the stack trace out, which the log of the trap has.
func firstLine(err error) string {
	text, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSuffix(text, " (recovered by wazero)")
}
