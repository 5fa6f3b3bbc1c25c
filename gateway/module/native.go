package module

import (
	"context"
	"fmt"
	"sync"

	"github.com/tetratelabs/wazero/api"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/hostabi"
)

// Program is a module compiled natively: it answers one exchange through a host.
type Program func(ctx context.Context, host hostabi.Native, exchange uint32)

// ServeNative has a natively compiled module answer x, with the host functions, services, limits and grants that the
// same module would have as WebAssembly. There is no instance to discard: a panic of the program costs this exchange.
func (e *Engine) ServeNative(x *exchange.Exchange, about *manifest.Manifest, policy Policy, program Program) {
	g := &Generation{engine: e, image: &image{about: about}, policy: policy}
	g.grants.Store(&g.policy.Grants)
	if !g.declared(x) {
		return
	}
	g.settle()
	g.log = g.newLog()
	n := &native{i: &instance{
		gen: g, wake: make(chan struct{}, 1),
		requests: map[uint32]*request{}, calls: map[uint32]context.CancelFunc{},
	}, done: map[uint32]chan hostabi.Completion{}}
	n.i.mod, n.i.deliver = n, n.deliver
	r := newRequest(g, x)
	r.id = next31(e.nativeIDs.Add(1)) // programs tell the exchanges that run at the same time apart by it
	n.i.requests[r.id] = r
	n.i.runnable++
	defer r.gone(x)
	e.natives.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				r.finish(verdict{hostabi.Internal, fmt.Sprintf("module %q failed: %v", about.Name, p)})
			}
		}()
		program(r.ctx, n, r.id)
	})
	g.await(r, x)
}

// native is the host of one natively served exchange. Host functions expect a guest's memory, so arguments pass through
// one: a scratch area laid out anew for each call.
type native struct {
	api.Module // only Memory is used
	i          *instance

	mu    sync.Mutex // one host function at a time, as in an instance
	arena []byte

	doneMu sync.Mutex
	done   map[uint32]chan hostabi.Completion
}

var _ hostabi.Native = (*native)(nil)

// Invoke lays the arguments out, calls the function, and copies what it wrote back.
func (n *native) Invoke(module, name string, args ...any) int64 {
	f, ok := hostModules[module][name]
	if !ok {
		return -int64(hostabi.BadArgument)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arena = n.arena[:0]
	stack := make([]uint64, 0, 8)
	for _, a := range args {
		stack = n.lay(stack, a)
	}
	outs := append([]uint64(nil), stack...)
	result := f.call(n.i, stack)
	at := 0
	for _, a := range args {
		if out, ok := a.([]byte); ok {
			copy(out, n.arena[outs[at]:])
			at++
		} else if _, ok := a.(string); ok {
			at++
		}
		at++
	}
	return result
}

// lay puts one argument on the stack: numbers as they are, text and buffers as pointer and length.
func (n *native) lay(stack []uint64, arg any) []uint64 {
	switch a := arg.(type) {
	case uint32:
		return append(stack, uint64(a))
	case int64:
		return append(stack, uint64(a))
	case string:
		stack = append(stack, uint64(len(n.arena)), uint64(len(a)))
		n.arena = append(n.arena, a...)
	case []byte:
		stack = append(stack, uint64(len(n.arena)), uint64(len(a)))
		n.arena = append(n.arena, a...)
	}
	return stack
}

// Wait blocks until the call has completed.
func (n *native) Wait(token uint32) hostabi.Completion { return <-n.channel(token) }

// deliver takes a completion from the host's side.
func (n *native) deliver(c hostabi.Completion) { n.channel(c.Token) <- c }

func (n *native) channel(token uint32) chan hostabi.Completion {
	n.doneMu.Lock()
	defer n.doneMu.Unlock()
	if n.done[token] == nil {
		n.done[token] = make(chan hostabi.Completion, 1)
	}
	return n.done[token]
}

// Memory is the scratch area.
func (n *native) Memory() api.Memory { return arena{nil, n} }

// arena is the scratch area as a guest's memory: host functions only Read it.
type arena struct {
	api.Memory
	n *native
}

// Read is a range of the area.
func (a arena) Read(offset, size uint32) ([]byte, bool) {
	end := uint64(offset) + uint64(size)
	if end > uint64(len(a.n.arena)) {
		return nil, false
	}
	return a.n.arena[offset:end:end], true
}
