package module

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tetratelabs/wazero/api"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// instance is one instantiated guest. Only its own goroutine calls into it: a WebAssembly function must never run twice
// at once, and an instance that failed must never run again.
type instance struct {
	gen *Generation
	mod api.Module
	// memory is the guest's; Free is wazero's to call.
	memory *linearMemory
	ctx    context.Context // carries the instance to host functions
	wake   chan struct{}   // something is in the queues below, or quit is set
	dead   chan struct{}   // closed when the goroutine has ended

	mu       sync.Mutex
	quit     bool
	failed   error               // why it died
	requests map[uint32]*request // by exchange: the guest may use them
	starts   []*request          // not yet told to the guest
	cancels  []uint32            // exchanges that are over, not yet told
	complete []hostabi.Completion
	calls    map[uint32]context.CancelFunc // by token, under way
	runnable int                           // requests with no call under way
	tokens   uint32
	deliver  func(hostabi.Completion) // of a native guest, which does not fetch its completions
	current  *request                 // of a synchronous guest; written by the instance's goroutine only

	// Only of the instance's goroutine:
	lastError string
	says      TrapKind // what the guest said on stderr before it died
	born      int64    // its memory when it was made, bytes
	meter     meter    // of the entry into the guest that runs now
}

// instanceKey finds the instance in a host function's context.
type instanceKey struct{}

// newInstance makes an instance: the first one is initialised and has the guest check itself, the others are copies of it, if the
// module can be copied.
func newInstance(g *Generation) (*instance, error) {
	i := &instance{
		gen: g, wake: make(chan struct{}, 1), dead: make(chan struct{}),
		requests: map[uint32]*request{}, calls: map[uint32]context.CancelFunc{},
	}
	i.ctx = context.WithValue(context.Background(), instanceKey{}, i)
	of, done := g.image.copies.begin()
	defer done()
	i.meter.begin(g.limits.CPUPerCall) // wazero runs a start section itself
	mod, memory, err := g.instantiate(i.ctx, of)
	g.Stats.GuestTime.Add(int64(i.meter.end()))
	if err != nil {
		return nil, err
	}
	i.mod, i.memory = mod, memory
	if of != nil {
		err = of.Restore(mod)
	} else {
		err = i.initialise()
	}
	i.born = int64(mod.Memory().Size())
	if err != nil {
		i.free()
		return nil, err
	}
	return i, nil
}

// initialise makes an instance ready that is no copy.
func (i *instance) initialise() error {
	c := i.gen.image.copies
	if c.plan != nil {
		if err := c.plan.Fill(i.mod.Memory()); err != nil {
			return fmt.Errorf("cannot instantiate: %w", err)
		}
	}
	if f := i.mod.ExportedFunction(hostabi.ExportInitialize); f != nil {
		if err := i.enter(f, make([]uint64, 1)); err != nil {
			return fmt.Errorf("cannot instantiate: %s failed: %w", hostabi.ExportInitialize, err)
		}
	}
	if err := i.check(); err != nil {
		return err
	}
	return c.keep(i)
}

// check calls the guest's own check, if it has one.
func (i *instance) check() error {
	f := i.mod.ExportedFunction(hostabi.ExportCheck)
	if f == nil {
		return nil
	}
	stack := make([]uint64, 1)
	if err := i.enter(f, stack); err != nil {
		return fmt.Errorf("its check failed: %w", err)
	}
	if code := int32(stack[0]); code != 0 {
		return fmt.Errorf("its check says %d", code)
	}
	return nil
}

// enter calls into the guest, within the CPU budget. Any error is the end of the instance.
func (i *instance) enter(f api.Function, stack []uint64) (err error) {
	i.says = TrapOther
	i.meter.begin(i.gen.limits.CPUPerCall)
	defer func() { i.gen.Stats.GuestTime.Add(int64(i.meter.end())) }()
	return f.CallWithStack(i.ctx, stack)
}

// free closes the guest. Only the instance's goroutine, or its maker, may.
func (i *instance) free() {
	i.gen.Stats.Instances.Add(-1)
	if err := i.mod.Close(context.Background()); err != nil {
		i.gen.engine.opts.Log.Error().Err(err).Str("module", i.gen.Manifest().Name).Msg("cannot close instance")
	}
}

// post queues r; false when the instance is dying.
func (i *instance) post(r *request) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.quit || i.failed != nil {
		return false
	}
	i.requests[r.id] = r
	i.runnable++
	i.starts = append(i.starts, r)
	i.signal()
	return true
}

// drop takes a request that is over from the guest and tells it so. One that an asynchronous guest has not heard of yet it
// never will: else clients that come and go while it is busy would make the queues longer than what is in flight. A
// synchronous guest gets it all the same: its worker is waiting for it, and holds its slot.
func (i *instance) drop(r *request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.remove(r) {
		return
	}
	if n := slices.Index(i.starts, r); n >= 0 && i.gen.image.async {
		i.starts = slices.Delete(i.starts, n, n+1)
		return
	}
	i.cancels = append(i.cancels, r.id)
	i.signal()
}

// end takes a request that the guest itself has ended from it.
func (i *instance) end(r *request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.remove(r)
}

// remove forgets r; false when it had been forgotten before. i.mu is held.
func (i *instance) remove(r *request) bool {
	if i.requests[r.id] != r {
		return false
	}
	delete(i.requests, r.id)
	if r.calls == 0 {
		i.runnable--
	}
	return true
}

// signal wakes the goroutine; one signal is enough for any number of events. i.mu is held.
func (i *instance) signal() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

// stop has the goroutine end and waits for it.
func (i *instance) stop() {
	i.mu.Lock()
	i.quit = true
	i.signal()
	i.mu.Unlock()
	<-i.dead
}

// request finds an exchange of the guest's.
func (i *instance) request(id uint32) *request {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.requests[id]
}

// die fails every request with the reason. The instance takes no more.
func (i *instance) die(err error) {
	i.gen.trapped(kindOf(err, i.says), err)
	i.mu.Lock()
	i.failed = err
	requests, current := i.requests, i.currentID()
	i.requests, i.starts, i.complete, i.runnable = nil, nil, nil, 0
	for _, cancel := range i.calls {
		cancel()
	}
	i.current = nil
	i.mu.Unlock()
	if len(requests) == 1 {
		for _, r := range requests { // whose else
			current = r.requestID
		}
	}
	i.gen.log.trap(err, len(requests), current)
	for _, r := range requests {
		r.finish(verdict{hostabi.Internal, fmt.Sprintf("module %q failed: %s", i.gen.Manifest().Name, firstLine(err))})
	}
}

// currentID is the id of the request that a synchronous guest serves now. Only the instance's goroutine may ask.
func (i *instance) currentID() string {
	if i.current == nil {
		return ""
	}
	return i.current.requestID
}

// start runs do as a call of r and posts its completion. The number of goroutines is bounded by the module's limit of calls.
func (i *instance) start(r *request, kind int, ctx context.Context, cancel context.CancelFunc, do func(context.Context) service.Result) (uint32, hostabi.Code) {
	token, code := i.register(r, kind, cancel)
	if code != hostabi.OK {
		cancel()
		return 0, code
	}
	i.gen.running.Go(func() {
		defer cancel()
		i.finish(r, token, protect(ctx, do))
	})
	return token, hostabi.OK
}

// next31 is the number after n, for ids that a guest sees as an i32: never 0, never negative.
func next31(n uint32) uint32 { return n&0x7fffffff%0x7fffffff + 1 }

// register counts a call in; Busy beyond the module's limit, which completions that the guest has not fetched count
// towards as well; TooLarge beyond what one request may call in all.
func (i *instance) register(r *request, kind int, cancel context.CancelFunc) (uint32, hostabi.Code) {
	most := int64(i.gen.limits.HostCalls)
	if i.gen.calls.Add(1)+i.unread() > most {
		i.gen.calls.Add(-1)
		i.gen.reached(LimitHostCalls)
		return 0, hostabi.Busy
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.made == i.gen.limits.HostCallsPerRequest {
		i.gen.calls.Add(-1)
		i.gen.reached(LimitHostCallsPerRequest)
		return 0, hostabi.TooLarge
	}
	r.made++
	i.gen.Stats.HostCalls.Add(1)
	i.gen.Stats.calls[kind].Add(1)
	if r.calls == 0 && i.requests[r.id] == r {
		i.runnable--
	}
	r.calls++
	i.tokens = next31(i.tokens)
	i.calls[i.tokens] = cancel
	return i.tokens, hostabi.OK
}

// unread is how many completions wait to be fetched.
func (i *instance) unread() int64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return int64(len(i.complete))
}

// finish posts a call's completion, also for a request that is over: the guest's goroutine still waits for it. Of a
// synchronous guest nobody does once it has gone on to the next request.
func (i *instance) finish(r *request, token uint32, result service.Result) {
	i.gen.calls.Add(-1)
	c := r.completed(token, result)
	i.mu.Lock()
	defer i.mu.Unlock()
	r.calls--
	if r.calls == 0 && i.requests[r.id] == r {
		i.runnable++
	}
	delete(i.calls, token)
	if i.deliver != nil {
		i.deliver(c)
		return
	}
	if i.failed != nil || !i.gen.image.async && i.current != r {
		return
	}
	i.complete = append(i.complete, c)
	i.signal()
}

// protect turns a panic of a service into an error of this call.
func protect(ctx context.Context, do func(context.Context) service.Result) (result service.Result) {
	defer func() {
		if p := recover(); p != nil {
			result = service.Failf(hostabi.Internal, "panic in a host call: %v", p)
		}
	}()
	result = do(ctx)
	if result.Code != hostabi.OK && ctx.Err() != nil {
		result.Code = hostabi.Canceled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			result.Code = hostabi.Deadline
		}
	}
	return result
}
