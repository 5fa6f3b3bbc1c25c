package module

import (
	"sync"
	"time"

	"github.com/posternhq/postern/hostabi"
)

// maxWorkers bounds the instances of a synchronous guest, and so its requests in flight. They are small: a C guest's has
// some 20 KB, and they are made only when all others are busy.
const maxWorkers = 64

// workers are the instances of a synchronous guest, one request each.
type workers struct {
	mu   sync.Mutex
	idle []*instance // the last one used is used first: its memory is warm
	all  map[*instance]struct{}
}

// start makes the first worker, so that a module that cannot run is refused when it is loaded.
func (w *workers) start(g *Generation) error {
	i, err := w.make(g)
	if err == nil {
		w.put(i)
	}
	return err
}

// hand gives r to an idle worker or to a new one. The generation admits no more requests than there may be workers, and a
// worker holds its request's slot until it is idle again, or gone: also when the client does not wait so long.
func (w *workers) hand(g *Generation, r *request) error {
	for {
		i, err := w.take(g)
		if err != nil {
			return err
		}
		if i.post(r) {
			r.dropped = i.drop
			return nil
		}
	}
}

func (w *workers) take(g *Generation) (*instance, error) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		i := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		return i, nil
	}
	w.mu.Unlock()
	return w.make(g)
}

func (w *workers) make(g *Generation) (*instance, error) {
	i, err := g.births.try(g)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = map[*instance]struct{}{}
	}
	w.all[i] = struct{}{}
	g.running.Go(func() { i.work(w) })
	return i, nil
}

func (w *workers) put(i *instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = append(w.idle, i)
}

func (w *workers) forget(i *instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.all, i)
}

// close ends all workers. No request is under way.
func (w *workers) close() {
	w.mu.Lock()
	var all []*instance
	w.idle = nil
	for i := range w.all {
		all = append(all, i)
	}
	w.mu.Unlock()
	for _, i := range all {
		i.stop()
	}
	w.mu.Lock()
	w.idle = nil
	w.mu.Unlock()
}

// work is the one goroutine that calls into a synchronous guest.
func (i *instance) work(w *workers) {
	defer close(i.dead)
	handle := i.mod.ExportedFunction(hostabi.ExportHandle)
	stack := make([]uint64, 1)
	for {
		r, quit := i.next()
		if quit {
			w.forget(i)
			i.free()
			return
		}
		if r == nil {
			<-i.wake
			continue
		}
		stack[0] = uint64(r.id)
		if err := i.enter(handle, stack); err != nil {
			i.die(err)
			w.forget(i)
			i.free()
			i.gen.leave()
			return
		}
		i.reset(r)
		if i.worn() {
			w.forget(i)
			i.free()
			i.gen.Stats.Recycled.Add(1)
			i.gen.leave()
			r.finish(verdict{})
			return
		}
		w.put(i)
		i.gen.leave()
		r.finish(verdict{})
	}
}

// next is the request that was handed over, nil if there is none yet.
func (i *instance) next() (r *request, quit bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.starts) > 0 {
		r, i.starts = i.starts[0], i.starts[:0]
		i.current = r
	}
	return r, i.quit && r == nil
}

// reset makes the instance forget r and what it did not wait for.
func (i *instance) reset(r *request) {
	i.end(r)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.current, i.complete, i.cancels = nil, nil, nil
	for _, cancel := range i.calls {
		cancel()
	}
}

// waitFor blocks until none of the tokens is under way; Deadline after d, Canceled when the request is over. The guest
// does not pay for the time.
func (i *instance) waitFor(tokens []uint32, d time.Duration) hostabi.Code {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for i.underWay(tokens) {
		select {
		case <-i.wake:
		case <-timer.C:
			return hostabi.Deadline
		case <-i.current.ctx.Done():
			return hostabi.Canceled
		}
	}
	return hostabi.OK
}

func (i *instance) underWay(tokens []uint32) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, t := range tokens {
		if _, ok := i.calls[t]; ok {
			return true
		}
	}
	return false
}
