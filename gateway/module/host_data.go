package module

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/data"
	"github.com/posternhq/postern/hostabi"
)

// handleNew is handle_new(ex, ptr, len).
func handleNew(i *instance, a []uint64) int64 {
	b, ok := i.bytes(a[1], a[2])
	if !ok {
		return i.badPointer()
	}
	return i.on(a[0], func(r *request, _ *exchange.Exchange) int64 {
		if int64(len(b)) > r.handles.room() {
			i.gen.reached(LimitHandleBytes)
			return i.fail(hostabi.TooLarge, "handles hold too much")
		}
		return i.handle(r, bytes.Clone(b))
	})
}

// handle keeps b and is its number.
func (i *instance) handle(r *request, b []byte) int64 {
	id, code := r.handles.add(b)
	if code != hostabi.OK {
		i.gen.reached(LimitHandleBytes)
		return i.fail(code, "handles hold too much")
	}
	return int64(id)
}

// onHandle is on, for functions of a handle.
func (i *instance) onHandle(a []uint64, f func(r *request, b []byte) int64) int64 {
	return i.on(a[0], func(r *request, _ *exchange.Exchange) int64 {
		b, ok := r.handles.get(uint32(a[1]))
		if !ok {
			return i.fail(hostabi.NotFound, "no such handle")
		}
		return f(r, b)
	})
}

// handleLen is handle_len(ex, handle).
func handleLen(i *instance, a []uint64) int64 {
	return i.onHandle(a, func(_ *request, b []byte) int64 { return int64(len(b)) })
}

// handleRead is handle_read(ex, handle, offset, buf, cap).
func handleRead(i *instance, a []uint64) int64 {
	return i.onHandle(a, func(_ *request, b []byte) int64 {
		out, ok := i.bytes(a[3], a[4])
		if !ok {
			return i.badPointer()
		}
		if a[2] >= uint64(len(b)) {
			return 0
		}
		return int64(copy(out, b[a[2]:]))
	})
}

// handleDrop is handle_drop(ex, handle).
func handleDrop(i *instance, a []uint64) int64 {
	return i.onHandle(a, func(r *request, _ []byte) int64 {
		r.handles.remove(uint32(a[1]))
		return 0
	})
}

// jsonGet is json_get(ex, handle, pointer, pointer_len, buf, cap).
func jsonGet(i *instance, a []uint64) int64 {
	pointer, ok := i.str(a[2], a[3])
	if !ok {
		return i.badPointer()
	}
	return i.onHandle(a, func(_ *request, b []byte) int64 {
		raw, ok := data.Get(b, pointer)
		if !ok {
			return i.fail(hostabi.NotFound, "no value at "+pointer)
		}
		if raw[0] != '"' {
			return i.give(string(raw), a[4], a[5])
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return i.fail(hostabi.BadArgument, "the document is not JSON at "+pointer)
		}
		return i.give(text, a[4], a[5])
	})
}

// jsonTransform is json_transform(ex, handle, program, program_len).
func jsonTransform(i *instance, a []uint64) int64 {
	program, ok := i.str(a[2], a[3])
	if !ok {
		return i.badPointer()
	}
	return i.onHandle(a, func(r *request, b []byte) int64 {
		out, err := data.Transform(r.handles.get, b, []byte(program), r.handles.room())
		if err != nil {
			code := hostabi.BadArgument
			_ = errors.As(err, &code) // a limit that was reached, a handle that is not there
			if code == hostabi.TooLarge {
				i.gen.reached(LimitHandleBytes)
			}
			return i.fail(code, err.Error())
		}
		return i.handle(r, out)
	})
}
