package module

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// coreFunctions are postern/v1.
var coreFunctions = map[string]function{
	"request_field":   f32(4, requestField),
	"request_header":  f32(5, requestHeader),
	"request_body":    f32(1, requestBody),
	"response_status": f32(2, responseStatus),
	"response_header": f32(5, responseHeader),
	"response_write":  f32(3, responseWrite),
	"response_splice": f32(2, responseSplice),
	"response_error":  f32(4, responseError),
	"response_end":    f32(1, responseEnd),
	"handle_new":      f32(3, handleNew),
	"handle_len":      {shape{i32s(2), i64s(1)}, handleLen},
	"handle_read":     {shape{append(append(i32s(2), i64s(1)...), i32s(2)...), i32s(1)}, handleRead},
	"handle_drop":     f32(2, handleDrop),
	"json_get":        f32(6, jsonGet),
	"json_transform":  f32(4, jsonTransform),
	"completions":     f32(2, completions),
	"wait":            f32(3, wait),
	"cancel":          f32(1, cancelCall),
	"sleep":           f32(2, sleep),
	"log":             {shape{params: i32s(3)}, guestLine},
	"now":             {shape{results: i64s(1)}, now},
	"settings":        f32(2, settings),
	"last_error":      f32(2, lastError),
	"error_of":        f32(4, errorOf),
}

// callFunction is a capability module's function of a record, (ex, record, record_len), that a service answers.
func callFunction(module string, kind int, behind func(*Services) service.Service) function {
	return f32(3, func(i *instance, a []uint64) int64 {
		r, call, code := i.prepare(kind, a)
		if code != 0 {
			return code
		}
		target := behind(i.gen.engine.services.Load())
		return i.call(r, kind, call.Record, func(ctx context.Context) service.Result {
			if target == nil {
				return service.Failf(hostabi.NotFound, "the gateway has no %s configured", module)
			}
			return i.gen.received(target.Do(ctx, call))
		})
	})
}

// received counts what a backend answered, and that it was more than the request may hold.
func (g *Generation) received(result service.Result) service.Result {
	g.Stats.Received.Add(int64(len(result.Body)))
	if result.Code == hostabi.TooLarge {
		g.reached(LimitHandleBytes)
	}
	return result
}

// prepare reads a call's exchange and record; a result below 0 ends the function.
func (i *instance) prepare(kind int, a []uint64) (*request, *service.Call, int64) {
	r := i.request(uint32(a[0]))
	if r == nil {
		return nil, nil, i.fail(hostabi.Gone, "the exchange has ended")
	}
	raw, ok := i.bytes(a[1], a[2])
	if !ok {
		return nil, nil, i.badPointer()
	}
	record := hostabi.Record(bytes.Clone(raw[:min(len(raw), maxRecord+1)]))
	if len(record) > maxRecord {
		return nil, nil, i.fail(hostabi.TooLarge, "record is too large: pass a body as a handle")
	}
	if err := record.Validate(); err != nil {
		return nil, nil, i.fail(hostabi.BadArgument, err.Error())
	}
	call, code := r.newCall(kind, record)
	if code != hostabi.OK {
		return nil, nil, i.fail(code, "cannot send the record, or its body handle: "+code.String())
	}
	return r, call, 0
}

// maxRecord bounds a call's record, bytes; larger bodies go by handle.
const maxRecord = 1 << 20

// call starts do for r and is its token.
func (i *instance) call(r *request, kind int, record hostabi.Record, do func(context.Context) service.Result) int64 {
	ctx, cancel, code := r.timeout(record)
	if code != hostabi.OK {
		return i.fail(code, "timeout is not a number of milliseconds")
	}
	token, code := i.start(r, kind, ctx, cancel, do)
	if code != hostabi.OK {
		return i.fail(code, tooMany(code))
	}
	return int64(token)
}

// tooMany says in words why register refused.
func tooMany(code hostabi.Code) string {
	if code == hostabi.Busy {
		return "too many host calls are under way"
	}
	return "the request has made too many host calls"
}

// forwardCall is postern.http/v1 forward(ex, record, record_len). The client's goroutine does it.
func forwardCall(i *instance, a []uint64) int64 {
	r, call, code := i.prepare(callForward, a)
	if code != 0 {
		return code
	}
	ctx, cancel, late := r.timeout(call.Record)
	if late != hostabi.OK {
		return i.fail(late, "timeout is not a number of milliseconds")
	}
	token, busy := i.register(r, callForward, cancel)
	if busy != hostabi.OK {
		cancel()
		return i.fail(busy, tooMany(busy))
	}
	done := func(result service.Result) {
		cancel()
		if result.Code == hostabi.OK {
			i.end(r)
		}
		i.finish(r, token, result)
	}
	taken := r.with(func(*exchange.Exchange) hostabi.Code {
		select {
		case r.forward <- forward{ctx, call, done}:
			return hostabi.OK
		default:
			return hostabi.Busy
		}
	})
	if taken != hostabi.OK {
		done(service.Failf(taken, "the exchange cannot be forwarded"))
	}
	return int64(token)
}

// forward passes x on, if the gateway can.
func (s *Services) forward(x *exchange.Exchange, call *service.Call) service.Result {
	if s.Forward == nil {
		return service.Failf(hostabi.Unavailable, "the gateway has no backends configured")
	}
	return s.Forward.Forward(x, call)
}

// requestBody is request_body(ex). The body is read while the guest does something else; the client's goroutine waits
// for the guest meanwhile and does not touch it.
func requestBody(i *instance, a []uint64) int64 {
	r := i.request(uint32(a[0]))
	if r == nil {
		return i.fail(hostabi.Gone, "the exchange has ended")
	}
	most := i.gen.limits.RequestBytes
	return i.call(r, callCore, nil, func(ctx context.Context) service.Result { return r.readBody(ctx, most) })
}

// readBody reads the request's body, at most `most` bytes. The listener's own limit ends a client that stalls.
func (r *request) readBody(ctx context.Context, most int64) service.Result {
	if !r.body.TryLock() {
		return service.Failf(hostabi.Busy, "the request's body is being read, or the exchange is ending")
	}
	defer r.body.Unlock()
	var body io.Reader
	code := r.with(func(x *exchange.Exchange) hostabi.Code {
		if x.MaxRead > 0 {
			most = min(most, x.MaxRead)
		}
		body = x.HTTP.RequestBodyStream()
		if body == nil {
			body = bytes.NewReader(x.HTTP.Request.Body())
		}
		return hostabi.OK
	})
	if code != hostabi.OK {
		return service.Failf(code, "the exchange has ended")
	}
	b, err := io.ReadAll(io.LimitReader(body, most+1))
	switch {
	case err != nil: // also when the request is over: what has come is not the body
		return service.Failf(hostabi.Canceled, "cannot read the request's body: %v", err)
	case int64(len(b)) > most:
		r.gen.reached(LimitRequestBytes)
		return service.Failf(hostabi.TooLarge, "the request's body has more than %d bytes", most)
	}
	r.gen.Stats.Read.Add(int64(len(b)))
	return service.Result{Body: b}
}

// completions is completions(buf, max).
func completions(i *instance, a []uint64) int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := min(uint64(len(i.complete)), uint64(uint32(a[1])))
	out, ok := i.bytes(a[0], n*hostabi.CompletionSize)
	if !ok {
		return i.badPointer()
	}
	for _, c := range i.complete[:n] {
		binary.LittleEndian.PutUint32(out[0:], c.Token)
		binary.LittleEndian.PutUint32(out[4:], uint32(c.Code))
		binary.LittleEndian.PutUint32(out[8:], c.Handle)
		binary.LittleEndian.PutUint32(out[12:], c.Status)
		out = out[hostabi.CompletionSize:]
	}
	i.complete = append(i.complete[:0], i.complete[n:]...)
	return int64(n)
}

// maxWait bounds the tokens of one wait.
const maxWait = 4096

// wait is wait(tokens, n, milliseconds).
func wait(i *instance, a []uint64) int64 {
	if i.current == nil {
		return i.fail(hostabi.BadArgument, "only synchronous guests may wait")
	}
	if uint32(a[1]) > maxWait {
		return i.fail(hostabi.TooLarge, "too many tokens")
	}
	raw, ok := i.bytes(a[0], uint64(uint32(a[1]))*4)
	if !ok {
		return i.badPointer()
	}
	tokens := make([]uint32, 0, len(raw)/4)
	for ; len(raw) > 0; raw = raw[4:] {
		tokens = append(tokens, binary.LittleEndian.Uint32(raw))
	}
	return i.result(i.waitFor(tokens, time.Duration(uint32(a[2]))*time.Millisecond))
}

// cancelCall is cancel(token).
func cancelCall(i *instance, a []uint64) int64 {
	i.mu.Lock()
	cancel, ok := i.calls[uint32(a[0])]
	i.mu.Unlock()
	if !ok {
		return i.fail(hostabi.NotFound, "no such call is under way")
	}
	cancel()
	return 0
}

// sleep is sleep(ex, milliseconds).
func sleep(i *instance, a []uint64) int64 {
	r := i.request(uint32(a[0]))
	if r == nil {
		return i.fail(hostabi.Gone, "the exchange has ended")
	}
	d := time.Duration(uint32(a[1])) * time.Millisecond // now: the arguments are on the guest's stack, which goes on
	return i.call(r, callCore, nil, func(ctx context.Context) service.Result {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return service.Result{}
		case <-ctx.Done():
			return service.Failf(hostabi.Canceled, "sleep was cut short")
		}
	})
}

// guestLine is log(level, ptr, len).
func guestLine(i *instance, a []uint64) int64 {
	if text, ok := i.bytes(a[1], min(uint64(uint32(a[2])), maxLine)); ok {
		i.gen.log.line(hostabi.Level(a[0]), text, i.currentID())
	}
	return 0
}

// now is now().
func now(*instance, []uint64) int64 { return time.Now().UnixNano() }

// settings is settings(buf, cap).
func settings(i *instance, a []uint64) int64 {
	if len(i.gen.policy.Settings) == 0 {
		return i.give("{}", a[0], a[1])
	}
	return i.give(string(i.gen.policy.Settings), a[0], a[1])
}

// lastError is last_error(buf, cap).
func lastError(i *instance, a []uint64) int64 { return i.give(i.lastError, a[0], a[1]) }

// errorOf is error_of(ex, token, buf, cap).
func errorOf(i *instance, a []uint64) int64 {
	return i.on(a[0], func(r *request, _ *exchange.Exchange) int64 { return i.give(r.errs[uint32(a[1])], a[2], a[3]) })
}

// errBudget stops a guest that runs too long. It is a WebAssembly trap to the guest.
var errBudget = errors.New("used more CPU than one entry into the module may (postern.modules: cpuPerCall)")

// spend is what metered loops call every thousand back-edges: a point where the Go runtime can take the thread, and where
// a guest that is over its budget ends.
func spend(i *instance, _ []uint64) int64 {
	i.gen.Stats.Fuel.Add(1)
	if i.meter.over() {
		panic(errBudget)
	}
	return 0
}
