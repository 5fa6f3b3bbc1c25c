package kube

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

// CacheOptions bound the watch-fed cache. Zero values mean the defaults named here.
type CacheOptions struct {
	// Idle is how long a watch lives on unused. Default 10 min.
	Idle time.Duration
	// MaxBytes and MaxObjects bound what is kept of one resource; a larger one is read live. Default 64 MiB, 50,000.
	MaxBytes   int64
	MaxObjects int
	// MaxResources bounds the watches. Default 64.
	MaxResources int
	// Retry is how long a resource that is too large, or cannot be watched, is read live before it is tried again.
	// Default 10 min.
	Retry time.Duration
	// Stale is how long a broken watch's objects are still given out, while it is being restored. Default 10 s.
	Stale time.Duration
}

func (o *CacheOptions) setDefaults() {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&o.Idle, 10 * time.Minute}, {&o.Retry, 10 * time.Minute}, {&o.Stale, 10 * time.Second}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.MaxObjects <= 0 {
		o.MaxObjects = 50_000
	}
	if o.MaxResources <= 0 {
		o.MaxResources = 64
	}
}

// Stats are the cache's counters since the start, and its present size.
type Stats struct {
	Hits int64 // answers out of the cache
	// Answers that were asked of the cache and given live: the resource is TooLarge, cannot be watched or was not read
	// in time (Unready), or the selector or the number of watches is not for the cache (Unsupported).
	TooLarge, Unready, Unsupported int64

	Watches, Objects int
	Bytes            int64
}

// Stats reads the cache's counters.
func (s *Service) Stats() Stats { return s.cache.stats() }

// key names a resource that is watched, in all namespaces.
type key struct{ group, version, resource string }

// cache keeps one watch per resource that modules read, from the first use until it has been unused for a while. It is
// bounded by MaxResources watches of MaxBytes each.
type cache struct {
	s   *Service
	opt CacheOptions

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	watched map[key]*watched

	hits, tooLarge, unready, unsupported atomic.Int64
}

func newCache(s *Service, opt CacheOptions) *cache {
	c := &cache{s: s, opt: opt, watched: make(map[key]*watched)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

func (c *cache) close() {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.wg.Wait()
}

// answer answers a get or list, if it can: if not, it has to be asked live.
func (c *cache) answer(ctx context.Context, req *request, most int64) (service.Result, bool) {
	w, sel, err := c.reader(ctx, req)
	if err != nil {
		return service.Failf(hostabi.BadArgument, "%v", err), true
	}
	if w == nil {
		return service.Result{}, false
	}
	result, ok := w.read(req, sel, most)
	if !ok { // given up since
		c.unready.Add(1)
		return service.Result{}, false
	}
	c.hits.Add(1)
	return result, true
}

// reader is the resource that a get or list is answered from, when it can be read; nil if it has to be asked live. An error
// says that the selectors cannot be read.
func (c *cache) reader(ctx context.Context, req *request) (*watched, *selector, error) {
	sel, err := selectorOf(req)
	if err != nil {
		return nil, nil, err
	}
	w := c.watch(key{req.group, req.version, req.resource})
	if sel == nil || w == nil {
		c.unsupported.Add(1)
		return nil, nil, nil
	}
	if w.await(ctx) {
		return w, sel, nil
	}
	if w.isTooLarge() {
		c.tooLarge.Add(1)
	} else {
		c.unready.Add(1)
	}
	return nil, nil, nil
}

// watch is the watch of a resource, started if need be; nil if it cannot be had.
func (c *cache) watch(k key) *watched {
	if k.group == "metrics.k8s.io" { // computed on request, has no watch
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.watched[k]
	if w == nil {
		if len(c.watched) >= c.opt.MaxResources || c.ctx.Err() != nil {
			return nil
		}
		w = newWatched(c, k)
		w.used.Store(time.Now().UnixNano())
		c.watched[k] = w
		ctx, cancel := context.WithCancel(c.ctx)
		c.wg.Go(func() { w.run(ctx) })
		c.wg.Go(func() { w.stopWhenIdle(ctx, cancel) })
	}
	w.used.Store(time.Now().UnixNano())
	return w
}

// drop takes a watch out that has been unused for Idle; false: it has been used meanwhile.
func (c *cache) drop(w *watched) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() == nil && w.idle() < c.opt.Idle {
		return false
	}
	delete(c.watched, w.key)
	return true
}

func (c *cache) stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	st := Stats{
		Hits: c.hits.Load(), TooLarge: c.tooLarge.Load(), Unready: c.unready.Load(), Unsupported: c.unsupported.Load(),
		Watches: len(c.watched),
	}
	for _, w := range c.watched {
		objects, size := w.store.size()
		st.Objects += objects
		st.Bytes += size
	}
	return st
}

// selector is a list's selection.
type selector struct {
	labels labels.Selector
	fields fields.Selector
}

// selectorOf reads the selectors; nil when the cache cannot evaluate them.
func selectorOf(req *request) (*selector, error) {
	l, err := labels.Parse(req.labels)
	if err != nil {
		return nil, err
	}
	f, err := fields.ParseSelector(req.fields)
	if err != nil {
		return nil, err
	}
	for _, r := range f.Requirements() {
		if r.Field != "metadata.name" && r.Field != "metadata.namespace" {
			return nil, nil
		}
	}
	return &selector{labels: l, fields: f}, nil
}

// read answers as kube-apiserver does; false if there is nothing to read.
func (w *watched) read(req *request, sel *selector, most int64) (service.Result, bool) {
	if req.name == "" {
		body, ok := w.store.list(req.namespace, sel, most)
		return sized(body, most), ok
	}
	body, ok := w.store.get(req.namespace, req.name)
	if ok && body == nil {
		body = notFound(req)
		return service.Result{Code: hostabi.NotFound, Status: http.StatusNotFound, Body: body, Err: message(http.StatusNotFound, body)}, true
	}
	return sized(body, most), ok
}

func sized(body []byte, most int64) service.Result {
	if int64(len(body)) > most {
		return service.Failf(hostabi.TooLarge, "the answer has more than %d bytes", most)
	}
	return service.Result{Status: http.StatusOK, Body: body}
}
