package module

import (
	"context"
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// request is one exchange as a guest sees it. The guest's side runs on an instance's goroutine, the client's side in
// Generation.Serve; mu is held by whoever uses x, so that neither touches an exchange that is over.
type request struct {
	id uint32
	// requestID is the exchange's, for the log.
	requestID string
	gen       *Generation
	ctx       context.Context // ends with the client, the deadline, or the request
	cancel    context.CancelFunc

	mu      sync.Mutex
	x       *exchange.Exchange // nil when the request is gone
	handles handles
	answer  answer
	errs    map[uint32]string // by token: why a call failed

	body  sync.Mutex // one reader of the request's body at a time: a guest's read, or whoever the exchange is forwarded to
	calls int        // under way; guarded by the instance's mutex
	made  int        // host calls in all; the same
	sent  int64      // bytes of host calls, in all; guarded by mu
	// dropped tells the instance that the request is over.
	dropped func(*request)
	done    chan verdict // one verdict ends the request
	forward chan forward // the guest hands the exchange to a backend
}

// verdict is how the guest's side of a request ended.
type verdict struct {
	code    hostabi.Code // OK: the answer is complete
	message string       // for people, when it is not
}

// forward is a guest's wish that the client's goroutine pass the exchange on.
type forward struct {
	ctx  context.Context // ends when the guest gives the call up; once begun it goes on
	call *service.Call
	done func(service.Result)
}

// newRequest prepares x for a guest of gen. It ends at the latest after the module's deadline.
func newRequest(gen *Generation, x *exchange.Exchange) *request {
	ctx, cancel := context.WithTimeout(x.Context(), gen.limits.Deadline)
	return &request{
		gen: gen, ctx: ctx, cancel: cancel, x: x, requestID: x.ID,
		handles: handles{most: gen.limits.HandleBytes},
		answer:  answer{status: 200, most: gen.limits.ResponseBytes},
		done:    make(chan verdict, 1), forward: make(chan forward, 1),
	}
}

// finish gives the request its verdict; only the first one counts.
func (r *request) finish(v verdict) {
	select {
	case r.done <- v:
	default:
	}
}

// gone takes the exchange away from the guest: from here on its calls answer Gone, and what it waits for is cancelled.
func (r *request) gone(x *exchange.Exchange) {
	r.cancel()
	r.stopReading(x)
	r.mu.Lock()
	r.x = nil
	r.handles.drop()
	r.mu.Unlock()
	select {
	case f := <-r.forward:
		f.done(service.Failf(hostabi.Canceled, "the request is over"))
	default:
	}
	if r.dropped != nil {
		r.dropped(r)
	}
}

// stopReading waits until nobody reads the request's body any more. A read that waits for a slow client is broken off,
// and with it the connection, once the answer is sent.
func (r *request) stopReading(x *exchange.Exchange) {
	if r.body.TryLock() {
		return
	}
	_ = x.HTTP.Conn().SetReadDeadline(time.Unix(1, 0))
	r.body.Lock()
}

// with runs f while the exchange is there; Gone when it is not.
func (r *request) with(f func(x *exchange.Exchange) hostabi.Code) hostabi.Code {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.x == nil {
		return hostabi.Gone
	}
	return f(r.x)
}

// newCall makes a host call out of a record, with the documents that its handles name.
func (r *request) newCall(kind int, record hostabi.Record) (*service.Call, hostabi.Code) {
	call := &service.Call{
		Module: r.gen.Manifest().Name, Grants: r.gen.grants.Load(), Record: record,
	}
	code := r.with(func(x *exchange.Exchange) hostabi.Code {
		call.Caller, call.RequestID, call.MaxBytes = x.User, x.ID, max(r.handles.room(), 1)
		if kind == callAccounts {
			if client := x.Client(); client.IsValid() {
				call.Address = client.String()
			}
			call.UserAgent = string(x.HTTP.UserAgent())
		}
		for _, doc := range [...]struct {
			tag  hostabi.Tag
			into *[]byte
		}{{hostabi.TagBodyHandle, &call.Body}, {hostabi.TagOnly, &call.Only}, {hostabi.TagExcept, &call.Except}} {
			if code := r.document(record, doc.tag, doc.into); code != hostabi.OK {
				return code
			}
		}
		if kind == callQuery { // what it names stays here
			return r.send(int64(len(record)))
		}
		return r.send(int64(len(record) + len(call.Body)))
	})
	return call, code
}

// document reads the handle that a field of a record names, if it is there. r.mu is held.
func (r *request) document(record hostabi.Record, tag hostabi.Tag, into *[]byte) hostabi.Code {
	id := record.Get(tag)
	if id == nil {
		return hostabi.OK
	}
	handle, ok := parseUint(id)
	if !ok {
		return hostabi.BadArgument
	}
	if *into, ok = r.handles.get(handle); !ok {
		return hostabi.NotFound
	}
	return hostabi.OK
}

// send counts what a host call sends; TooLarge beyond what one request may send in all. r.mu is held.
func (r *request) send(n int64) hostabi.Code {
	if r.sent+n > r.gen.limits.SendBytes {
		r.gen.reached(LimitSendBytes)
		return hostabi.TooLarge
	}
	r.sent += n
	r.gen.Stats.Sent.Add(n)
	return hostabi.OK
}

// timeout is a call's own deadline: what the record asks for, never more than the request has left.
func (r *request) timeout(record hostabi.Record) (context.Context, context.CancelFunc, hostabi.Code) {
	text := record.Get(hostabi.TagTimeout)
	if text == nil {
		ctx, cancel := context.WithCancel(r.ctx)
		return ctx, cancel, hostabi.OK
	}
	ms, ok := parseUint(text)
	if !ok {
		return nil, nil, hostabi.BadArgument
	}
	ctx, cancel := context.WithTimeout(r.ctx, time.Duration(ms)*time.Millisecond)
	return ctx, cancel, hostabi.OK
}

// completed keeps what a call brought, and says what the guest is told of it.
func (r *request) completed(token uint32, result service.Result) hostabi.Completion {
	c := hostabi.Completion{Token: token, Code: result.Code, Status: uint32(result.Status)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.x == nil {
		if result.Body != nil {
			c.Code = hostabi.Canceled // there is nobody to keep it for
		}
		return c
	}
	if result.Body != nil {
		handle, code := r.handles.add(result.Body)
		if code != hostabi.OK {
			r.gen.reached(LimitHandleBytes)
			c.Code, result.Err = code, "answer exceeds the bytes a request may hold"
		}
		c.Handle = handle
	}
	if result.Err != "" && len(r.errs) < maxErrors {
		if r.errs == nil {
			r.errs = map[uint32]string{}
		}
		r.errs[token] = result.Err
	}
	return c
}

// maxErrors bounds the texts kept for error_of, per request; calls that fail after that many have a code and no text.
const maxErrors = 1024

// parseUint reads decimal text of at most 9 digits.
func parseUint(text []byte) (uint32, bool) {
	if len(text) == 0 || len(text) > 9 {
		return 0, false
	}
	var n uint32
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint32(c-'0')
	}
	return n, true
}
