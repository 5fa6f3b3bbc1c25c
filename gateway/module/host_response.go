package module

import (
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/hostabi"
)

// responseStatus is response_status(ex, status).
func responseStatus(i *instance, a []uint64) int64 {
	code := int(int32(a[1]))
	if code < 200 || code > 599 {
		return i.fail(hostabi.BadArgument, "status is not within 200 to 599")
	}
	return i.on(a[0], func(r *request, _ *exchange.Exchange) int64 {
		r.answer.status = code
		return 0
	})
}

// responseHeader is response_header(ex, name, name_len, value, value_len).
func responseHeader(i *instance, a []uint64) int64 {
	name, ok1 := i.str(a[1], a[2])
	value, ok2 := i.str(a[3], a[4])
	if !ok1 || !ok2 {
		return i.badPointer()
	}
	return i.on(a[0], func(r *request, _ *exchange.Exchange) int64 { return i.result(r.answer.set(name, value)) })
}

// responseWrite is response_write(ex, ptr, len).
func responseWrite(i *instance, a []uint64) int64 {
	b, ok := i.bytes(a[1], a[2])
	if !ok {
		return i.badPointer()
	}
	return i.on(a[0], func(r *request, _ *exchange.Exchange) int64 {
		return i.wrote(r.answer.write(b))
	})
}

// responseSplice is response_splice(ex, handle).
func responseSplice(i *instance, a []uint64) int64 {
	return i.on(a[0], func(r *request, _ *exchange.Exchange) int64 {
		b, ok := r.handles.get(uint32(a[1]))
		if !ok {
			return i.fail(hostabi.NotFound, "no such handle")
		}
		return i.wrote(r.answer.splice(b))
	})
}

// wrote is result, for what adds to an answer's body.
func (i *instance) wrote(code hostabi.Code) int64 {
	if code == hostabi.TooLarge {
		i.gen.reached(LimitResponseBytes)
	}
	return i.result(code)
}

// responseError is response_error(ex, status, message, message_len).
func responseError(i *instance, a []uint64) int64 {
	code := int(int32(a[1]))
	message, ok := i.str(a[2], min(a[3], maxLine))
	if !ok {
		return i.badPointer()
	}
	if code < 400 || code > 599 {
		return i.fail(hostabi.BadArgument, "status is not within 400 to 599")
	}
	return i.on(a[0], func(r *request, _ *exchange.Exchange) int64 {
		r.answer.fail(code, message)
		return 0
	})
}

// responseEnd is response_end(ex).
func responseEnd(i *instance, a []uint64) int64 {
	r := i.request(uint32(a[0]))
	if r == nil {
		return i.fail(hostabi.Gone, "the exchange has ended")
	}
	i.end(r)
	// From here on the answer is the client's goroutine's.
	r.mu.Lock()
	r.x = nil
	r.mu.Unlock()
	r.finish(verdict{})
	return 0
}
