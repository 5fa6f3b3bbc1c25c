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

	"github.com/posternhq/postern/gateway/lease"
	"github.com/posternhq/postern/gateway/module/internal/variant"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/gateway/module/snapshot"
	"github.com/posternhq/postern/hostabi"
)

// Generation is one loaded version of a module, with its instances. It is closed when it has been retired and its last
// request has ended, by count, never by a finalizer.
type Generation struct {
	engine *Engine
	image  *image
	policy Policy // as it was given
	limits Limits // the policy's, with what the manifest may change
	log    *guestLog
	totals *Totals // nil when natively compiled
	Stats  Stats

	breaker  breaker
	onBroken atomic.Pointer[func(why error)]
	began    time.Time     // when it was loaded
	loading  time.Duration // how long it took until it could serve

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
	slumber slumber

	shares  lease.Count // of requests, and the manager's own
	retired atomic.Bool
	closed  chan struct{} // closed when everything is gone
}

// shard holds the instance that serves a share of the requests; nil until it is needed, and after it died.
type shard struct {
	mu       sync.Mutex
	instance *instance
	leaving  *instance // has grown too large: it ends its requests and gets no more
}

// Load makes a generation of a module's bytes: compiled, allowed, instantiated and checked. policy gives the operator's
// word on the module of that name.
func (e *Engine) Load(ctx context.Context, wasm []byte, policy func(name string) Policy) (*Generation, error) {
	began := time.Now()
	img, err := e.compile(ctx, wasm, policy)
	if err != nil {
		return nil, err
	}
	g := &Generation{engine: e, image: img, began: began, policy: policy(img.about.Name), closed: make(chan struct{})}
	g.shares.Begin()
	short := g.settle()
	if !img.async {
		g.limits.RequestsInFlight = min(g.limits.RequestsInFlight, maxWorkers)
	}
	g.admit = make(chan struct{}, g.limits.RequestsInFlight)
	g.grants.Store(&g.policy.Grants)
	e.join(g)
	g.log = g.newLog()
	if img.async {
		g.shards = make([]shard, max(1, g.limits.Shards))
	}
	g.slumber.begin(g)
	start := time.Now()
	err = g.selfCheck()
	g.image.costs.Instantiate = time.Since(start)
	if err != nil {
		g.Retire()
		<-g.closed
		return nil, fmt.Errorf("module %q: %w", img.about.Name, err)
	}
	for _, wish := range short {
		g.log.say(hostabi.LevelWarn, "module gets "+wish+": raise postern.modules.ceiling, or set its own limit", "")
	}
	if variant.Of(ctx).OnlyCopies {
		g.endInstances()
	}
	g.loading = time.Since(began)
	e.tidy() // the module's bytes, several times over
	return g, nil
}

// settle fixes the generation's limits. It names the wishes of the manifest that the policy does not allow.
func (g *Generation) settle() (short []string) {
	g.limits, short = g.policy.settle(&g.image.about.Limits)
	g.breaker.limits = g.limits.Breaker
	return short
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

// instantiate makes an instance, of whose code nothing has run unless it is a copy: then it is where the first one was. The generation
// is awake: whoever asks for an instance has a request that rouse has let through, or is loading the module. wazero itself calls those of
// the start functions that the guest has.
func (g *Generation) instantiate(ctx context.Context, of *snapshot.Snapshot, start ...string) (mod api.Module, memory *linearMemory, err error) {
	a := &allocator{
		limit: g.limits.Memory / pageSize * pageSize, used: &g.Stats.Memory, refused: &g.Stats.reached[LimitMemory], of: of,
	}
	defer func() {
		// wazero panics when the allocator has no room for the memory's first bytes.
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot instantiate: %v", p)
		}
		if err != nil {
			a.free() // wazero forgets the memory of what it could not instantiate
		}
	}()
	config := moduleConfig(g.log, ctx.Value(instanceKey{}).(*instance)).WithStartFunctions(start...)
	mod, err = g.engine.runtime.InstantiateModule(experimental.WithMemoryAllocator(ctx, a), g.image.compiled, config)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot instantiate: %w", err)
	}
	g.Stats.Instances.Add(1)
	g.Stats.Born.Add(1)
	return mod, a.made, nil
}

// Snapshot says whether instances after the first are copies of it: "yes", or "no: " and why not.
func (g *Generation) Snapshot() string { return g.image.copies.state() }

// Acquire takes a share in the generation; false when it has been retired and closed.
func (g *Generation) Acquire() bool { return g.shares.Take() }

// Release gives a share back. The last one closes a retired generation.
func (g *Generation) Release() {
	if g.shares.Drop() {
		go g.close()
	}
}

// Retire gives the manager's own share back: no request is sent here any more.
func (g *Generation) Retire() {
	if !g.retired.Swap(true) {
		g.Release()
	}
}

// Closed is closed when a retired generation has ended its last request and freed all it held.
func (g *Generation) Closed() <-chan struct{} { return g.closed }

// endInstances ends them all, so that whoever comes next gets a new one. No request is under way.
func (g *Generation) endInstances() {
	for i := range g.shards {
		g.shards[i].close()
	}
	g.workers.close()
}

// close ends the instances, then frees the machine code.
func (g *Generation) close() {
	g.slumber.stop()
	g.endInstances()
	g.running.Wait()
	if err := errors.Join(g.image.copies.close(g), g.image.free(g.engine)); err != nil {
		g.engine.opts.Log.Error().Err(err).Str("module", g.Manifest().Name).Msg("cannot free compiled module")
	}
	g.totals.leave(g)
	close(g.closed)
}
