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

	admit   chan struct{} // a slot for each request in flight
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
	defer r.gone(x)
	if v := g.wait(r); v.code != hostabi.OK {
		refuse(x, v)
		return
	}
	defer func() { <-g.admit }()
	if err := g.hand(r); err != nil {
		g.Stats.Failures.Add(1)
		status.Write(x, status.BadGateway, err.Error())
		return
	}
	g.await(r, x)
}

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
	r.id = g.ids.Add(1) & 0x7fffffff
	if !g.image.async {
		return g.workers.hand(g, r)
	}
	return g.shards[int(g.turn.Add(1))%len(g.shards)].hand(g, r)
}

// await waits for r's verdict and does on the client's goroutine what the guest asks for.
func (g *Generation) await(r *request, x *exchange.Exchange) {
	for {
		select {
		case v := <-r.done:
			if v.code != hostabi.OK {
				g.Stats.Failures.Add(1)
				refuse(x, v)
				return
			}
			r.answer.send(x)
			return
		case f := <-r.forward:
			result := g.engine.services.Load().forward(x, f.call)
			f.done(result)
			if result.Code == hostabi.OK {
				return
			}
			// The client's registration was the forwarder's; from here on it is the guest's again.
			x.CancelOnGone(cancelFunc(r.cancel))
		case <-r.ctx.Done():
			g.Stats.Failures.Add(1)
			refuse(x, r.over())
			return
		}
	}
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
	defer func() {
		// wazero panics when the allocator has no room for the memory's first bytes.
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot instantiate: %v", p)
		}
	}()
	limit := g.policy.Limits.Memory / pageSize * pageSize
	ctx = experimental.WithMemoryAllocator(ctx, &allocator{limit: limit, used: &g.Stats.Memory})
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
	if err := g.image.compiled.Close(context.Background()); err != nil {
		g.engine.opts.Log.Error().Err(err).Str("module", g.Manifest().Name).Msg("cannot free compiled module")
	}
	g.image.compiled = nil
	close(g.closed)
}
