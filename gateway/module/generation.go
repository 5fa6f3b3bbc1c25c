package module

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/hostabi"
)

// Generation is one loaded version of a module, with its instances. It is closed when it has been retired and its last
// request has ended, by count, never by a finalizer.
type Generation struct {
	engine *Engine
	image  *image
	policy Policy
	log    *guestLog
	Stats  Stats

	// grants are the policy's, and replaced at once when the configuration takes some back.
	grants  atomic.Pointer[service.Grants]
	births  births
	running sync.WaitGroup // goroutines of instances and host calls
	admit   chan struct{}  // a slot for each request in flight
	queued  atomic.Int64
	calls   atomic.Int64 // host calls under way
	ids     atomic.Uint32
	shards  []shard // of an asynchronous guest
	turn    atomic.Uint32
	workers workers // of a synchronous guest

	mu      sync.Mutex
	refs    int // requests and the manager's own
	retired bool
	closed  chan struct{} // closed when everything is gone
}

// shard holds the instance that serves a share of the requests; nil until it is needed, and after it died.
type shard struct {
	mu       sync.Mutex
	instance *instance
}

// Load makes a generation of a module's bytes: compiled, allowed, instantiated and checked. policy gives the operator's
// word on the module of that name.
func (e *Engine) Load(ctx context.Context, wasm []byte, policy func(name string) Policy) (*Generation, error) {
	img, err := e.compile(ctx, wasm, policy)
	if err != nil {
		return nil, err
	}
	g := &Generation{engine: e, image: img, policy: policy(img.about.Name), refs: 1, closed: make(chan struct{})}
	slots := g.policy.Limits.RequestsInFlight
	if !img.async {
		slots = min(slots, maxWorkers)
	}
	g.admit = make(chan struct{}, slots)
	g.grants.Store(&g.policy.Grants)
	g.log = newGuestLog(e.opts.Log, img.about.Name, g.policy.Limits.LogLinesPerSecond, &g.Stats)
	if img.async {
		g.shards = make([]shard, max(1, g.policy.Limits.Shards))
	}
	if err := g.selfCheck(); err != nil {
		g.Retire()
		<-g.closed
		return nil, fmt.Errorf("module %q: %w", img.about.Name, err)
	}
	return g, nil
}

// selfCheck starts the first instance and asks the guest whether it is well.
func (g *Generation) selfCheck() error {
	if g.image.async {
		_, err := g.shards[0].get(g)
		return err
	}
	return g.workers.start(g)
}

// Manifest is what the module says of itself.
func (g *Generation) Manifest() *manifest.Manifest { return g.image.about }

// Digest is the sha256 of the module's file, in hex.
func (g *Generation) Digest() string { return g.image.digest }

// Serve has the module answer x. It returns when the answer is there; at the latest at the module's deadline.
func (g *Generation) Serve(x *exchange.Exchange) {
	g.Stats.Requests.Add(1)
	r := newRequest(g, x)
	if v := g.wait(r); v.code != hostabi.OK {
		r.gone(x)
		g.failed(v)
		refuse(x, v)
		return
	}
	handed := false
	defer func() {
		r.gone(x)
		if g.image.async || !handed {
			g.leave()
		}
	}()
	if err := g.hand(r); err != nil {
		g.Stats.Failures.Add(1)
		status.Write(x, status.BadGateway, err.Error())
		return
	}
	handed = true
	g.await(r, x)
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
	defer g.queued.Add(-1)
	if g.queued.Add(1) > int64(g.policy.Limits.Queue) {
		return verdict{hostabi.Busy, "too many requests are waiting for the module"}
	}
	timer := time.NewTimer(g.policy.Limits.QueueWait)
	defer timer.Stop()
	select {
	case g.admit <- struct{}{}:
		return verdict{}
	case <-timer.C:
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
func (g *Generation) await(r *request, x *exchange.Exchange) {
	for {
		select {
		case v := <-r.done:
			g.end(r, x, v)
			return
		case f := <-r.forward:
			if r.pass(x, f) {
				return
			}
		case <-r.ctx.Done():
			v := r.over()
			select {
			case v = <-r.done: // it came at the same time, and says more
			default:
			}
			g.end(r, x, v)
			return
		}
	}
}

// end answers x as its verdict says.
func (g *Generation) end(r *request, x *exchange.Exchange, v verdict) {
	if v.code == hostabi.OK {
		r.answer.send(x)
		return
	}
	g.failed(v)
	refuse(x, v)
}

// failed counts a failure of the module; a client that leaves is none.
func (g *Generation) failed(v verdict) {
	if v.code != hostabi.Canceled {
		g.Stats.Failures.Add(1)
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

// instantiate makes an instance's memory and globals and calls _initialize.
func (g *Generation) instantiate(ctx context.Context) (mod api.Module, err error) {
	memory := &allocator{limit: g.policy.Limits.Memory / pageSize * pageSize, used: &g.Stats.Memory}
	defer func() {
		// wazero panics when the allocator has no room for the memory's first bytes.
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot instantiate: %v", p)
		}
		if err != nil {
			memory.free() // wazero forgets the memory of what it could not instantiate
		}
	}()
	ctx = experimental.WithMemoryAllocator(ctx, memory)
	mod, err = g.engine.runtime.InstantiateModule(ctx, g.image.compiled, moduleConfig(g.log))
	if err != nil {
		return nil, fmt.Errorf("cannot instantiate: %w", err)
	}
	g.Stats.Instances.Add(1)
	return mod, nil
}

// Acquire takes a share in the generation; false when it has been retired and closed.
func (g *Generation) Acquire() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refs == 0 {
		return false
	}
	g.refs++
	return true
}

// Release gives a share back. The last one closes a retired generation.
func (g *Generation) Release() {
	g.mu.Lock()
	g.refs--
	last := g.refs == 0
	g.mu.Unlock()
	if last {
		go g.close()
	}
}

// Retire gives the manager's own share back: no request is sent here any more.
func (g *Generation) Retire() {
	g.mu.Lock()
	again := g.retired
	g.retired = true
	g.mu.Unlock()
	if !again {
		g.Release()
	}
}

// Closed is closed when a retired generation has ended its last request and freed all it held.
func (g *Generation) Closed() <-chan struct{} { return g.closed }

// close ends the instances, then frees the machine code.
func (g *Generation) close() {
	for i := range g.shards {
		g.shards[i].close()
	}
	g.workers.close()
	g.running.Wait()
	if err := g.image.compiled.Close(context.Background()); err != nil {
		g.engine.opts.Log.Error().Err(err).Str("module", g.Manifest().Name).Msg("cannot free compiled module")
	}
	g.image.compiled = nil
	close(g.closed)
}
