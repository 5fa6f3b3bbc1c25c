// Package cache answers GET from what was answered before, as far as HTTP allows (RFC 9111).
package cache

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/lru"
	"github.com/posternhq/postern/gateway/status"
)

// Kind is cache. It stands behind authorization and nowhere else: an answer that is kept must not outlive the right to it.
var Kind = filter.Kind{Name: "cache", Positions: []filter.Position{filter.BeforeAnswer}, Settings: new(settings), New: open}

// Filter is one cache.
type Filter struct {
	opts  options
	items *lru.Cache[string, *item] // bounded by entries and bytes
	// marks are when paths were last written to; what was asked for before that is void, and so is all that was asked for
	// before floor (nanoseconds since the epoch), which rises when marks are full.
	marks   *lru.Cache[string, time.Time]
	floor   atomic.Int64
	flights flights

	hit, miss, stale, revalidated, bypass, kept, voided prometheus.Counter
}

var (
	_ filter.Filter    = (*Filter)(nil)
	_ filter.Explainer = (*Filter)(nil)
	_ filter.Measurer  = (*Filter)(nil)
)

// maxMarks bounds the paths that were written to and are remembered.
const maxMarks = 10000

func open(raw json.RawMessage, env filter.Env) (filter.Filter, error) {
	s, o, err := decode(raw)
	if err != nil {
		return nil, err
	}
	return &Filter{
		opts: o, items: lru.New[string, *item](1, s.MaxEntries, int64(s.MaxBytes)), marks: lru.New[string, time.Time](1, maxMarks, 0),
		hit: env.Event("hit"), miss: env.Event("miss"), stale: env.Event("stale"), revalidated: env.Event("revalidated"),
		bypass: env.Event("bypass"), kept: env.Event("stored"), voided: env.Event("voided"),
	}, nil
}

// scratch holds a key that is being made.
type scratch struct{ b []byte }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// Serve answers from the cache, or passes x on and keeps the answer if it may.
func (f *Filter) Serve(x *exchange.Exchange, next exchange.Handler) {
	h := &x.HTTP.Request.Header
	if !h.IsGet() {
		f.write(x, next)
		return
	}
	asks := parseControl(h.PeekAll("Cache-Control"))
	if !f.mayKeep(x, &asks) {
		f.bypass.Inc()
		next(x)
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	s.b = f.appendKey(s.b[:0], x)
	now := time.Now()
	found := f.find(s, x)
	switch {
	case found != nil && found.pass:
		if found.left(now) > 0 {
			f.bypass.Inc()
			next(x)
			return
		}
		found = nil
	case found != nil && fresh(found, &asks, h, now):
		f.hit.Inc()
		found.answer(x, conditionsOf(h), now, "postern; hit")
		return
	}
	if asks.onlyIfCached {
		f.miss.Inc()
		status.Write(x, status.Timeout, "not kept, and the request wants only what is")
		return
	}
	f.fetch(x, next, string(s.b), found, asks.noCache || asks.maxAge == 0)
}

// write passes on what is not GET. What a successful one of it changes is void: its own path, and the collection above it.
func (f *Filter) write(x *exchange.Exchange, next exchange.Handler) {
	next(x)
	h := &x.HTTP.Request.Header
	if h.IsHead() || h.IsOptions() || x.HTTP.Hijacked() || x.HTTP.Response.StatusCode() >= 400 {
		return
	}
	path := x.Info.Path
	f.void(path)
	if i := strings.LastIndexByte(strings.TrimSuffix(path, "/"), '/'); i > 0 {
		f.void(path[:i])
	}
}

func (f *Filter) void(path string) {
	now := time.Now()
	if f.marks.Len() >= maxMarks {
		f.floor.Store(now.UnixNano()) // nothing older may be served once its mark is forgotten
		f.marks.Clear()
	}
	f.marks.Put(strings.Clone(path), now, 0)
	f.voided.Inc()
}

// mayKeep says whether x is a request whose answer may be kept: not one that lasts, changes protocols, wants a part, or
// has conditions that only the backend can judge; kube-apiserver's only if that was asked for.
func (f *Filter) mayKeep(x *exchange.Exchange, asks *control) bool {
	h, info := &x.HTTP.Request.Header, &x.Info
	switch {
	case asks.noStore, info.LongRunning(), info.Verb == "watch", info.IsKubernetesRequest && f.opts.kubernetes == 0:
		return false
	}
	for _, name := range [...]string{"Upgrade", "Range", "If-Match", "If-Unmodified-Since", "If-Range"} {
		if len(h.Peek(name)) > 0 {
			return false
		}
	}
	n := h.ContentLength()
	return n == 0 || n == -2 // no body; -1 is one in chunks
}

// find is what is kept for x, whose key s holds: an answer or a pass mark, not one that was voided. s then holds the key
// that the answer is, or would be, under.
func (f *Filter) find(s *scratch, x *exchange.Exchange) *item {
	i, ok := f.items.Get(text(s.b))
	if ok && i.vary != nil {
		s.b = appendVary(s.b, x, i.vary)
		i, ok = f.items.Get(text(s.b))
	}
	if !ok || i.pass {
		return i
	}
	asked := i.asked.UnixNano()
	if mark, ok := f.marks.Get(i.path); ok && asked <= mark.UnixNano() || asked <= f.floor.Load() {
		return nil
	}
	return i
}

// fresh says whether i may be the answer without the backend being asked.
func fresh(i *item, asks *control, h *fasthttp.RequestHeader, now time.Time) bool {
	left := i.left(now)
	switch {
	case left <= 0, asks.noCache, asks.maxAge >= 0 && i.age(now) > asks.maxAge, left < asks.minFresh:
		return false
	case asks.maxAge == 0:
		return false // age has seconds; 0 asks for a new answer
	}
	// Of old clients that know no Cache-Control.
	return asks.maxAge >= 0 || !bytes.EqualFold(h.Peek("Pragma"), []byte("no-cache"))
}

// fetch asks the backend, one request for all that want the same now. old is what is kept and stale, or nil. Who insists
// on a new answer waits for nobody, since what is under way may have been answered before.
func (f *Filter) fetch(x *exchange.Exchange, next exchange.Handler, key string, old *item, insists bool) {
	if insists {
		f.ask(x, next, key, old)
		return
	}
	flight, leads := f.flights.join(key)
	if leads {
		defer f.flights.land(key, flight)
		f.ask(x, next, key, old)
		return
	}
	now := time.Now()
	c := conditionsOf(&x.HTTP.Request.Header)
	if old != nil && old.left(now)+old.stale > 0 {
		f.stale.Inc()
		old.answer(x, c, now, "postern; hit; detail=stale-while-revalidate")
		return
	}
	await(x, flight)
	s := &scratch{f.appendKey(nil, x)}
	now = time.Now()
	if i := f.find(s, x); i != nil && !i.pass && i.left(now) > 0 {
		f.hit.Inc()
		i.answer(x, c, now, "postern; hit; collapsed")
		return
	}
	f.ask(x, next, key, old)
}

// ask asks the backend, if it can be, whether old still holds, and keeps what it answers.
func (f *Filter) ask(x *exchange.Exchange, next exchange.Handler, key string, old *item) {
	h := &x.HTTP.Request.Header
	c, asked := conditionsOf(h), time.Now()
	revalidates := old != nil && old.canAsk()
	if revalidates || f.opts.etags && strings.HasPrefix(c.none, ownTag) {
		// The backend must not judge by an entity tag of ours, nor answer 304 to somebody who has something older still.
		h.Del("If-None-Match")
		h.Del("If-Modified-Since")
		if revalidates && old.etag != "" && !old.own {
			h.Set("If-None-Match", old.etag)
		}
		if revalidates && old.modified != "" {
			h.Set("If-Modified-Since", old.modified)
		}
		x.HeadersChanged()
	}
	next(x)
	resp := &x.HTTP.Response
	if x.HTTP.Hijacked() {
		return
	}
	now := time.Now()
	if revalidates && resp.StatusCode() == fasthttp.StatusNotModified {
		i := f.renew(old.refreshed(&resp.Header), x, asked, now)
		f.revalidated.Inc()
		wipe(&resp.Header)
		if i.life > 0 || i.canAsk() {
			f.items.Put(key, i, i.weight(key))
		}
		i.answer(x, c, now, "postern; fwd=stale; fwd-status=304")
		return
	}
	f.miss.Inc()
	if i := f.keep(x, asked, now); i != nil && c.met(i) {
		wipe(&resp.Header)
		i.answer(x, c, now, "postern; fwd=miss; stored")
	}
}

// passes is how long it is remembered that answers for a key cannot be kept.
const passes = 10 * time.Second

// keep keeps x's answer if it may; nil: it is not kept.
func (f *Filter) keep(x *exchange.Exchange, asked, now time.Time) *item {
	resp := &x.HTTP.Response
	h := &resp.Header
	if resp.StatusCode() != fasthttp.StatusOK {
		return nil
	}
	key := string(f.appendKey(nil, x))
	i := f.renew(&item{code: resp.StatusCode(), etag: string(h.Peek("ETag")), path: strings.Clone(x.Info.Path)}, x, asked, now)
	names, alike := varyNames(h.PeekAll("Vary"))
	if !alike || !f.worthKeeping(i, x) {
		return f.passMark(key, now)
	}
	body, ok := filter.ReadBody(x, f.opts.maxBody)
	if !ok || len(h.PeekTrailerKeys()) > 0 {
		return f.passMark(key, now)
	}
	if i.etag == "" && f.opts.etags {
		i.etag, i.own = tag(body), true
		h.Set("ETag", i.etag)
	}
	i.header, i.body = fields(h), bytes.Clone(body)
	if len(names) > 0 {
		f.items.Put(key, &item{vary: names}, perItem+int64(len(key)))
		key = string(appendVary([]byte(key), x, names))
	}
	if f.items.Put(key, i, i.weight(key)) {
		f.kept.Inc()
		h.Set("Cache-Status", "postern; fwd=miss; stored")
	}
	return i
}

// passMark notes that nobody need wait for answers of key.
func (f *Filter) passMark(key string, now time.Time) *item {
	i := &item{pass: true, received: now, life: passes}
	f.items.Put(key, i, i.weight(key))
	return nil
}

// worthKeeping says whether an answer may be kept, and would be of use.
func (f *Filter) worthKeeping(i *item, x *exchange.Exchange) bool {
	h := &x.HTTP.Response.Header
	says := parseControl(h.PeekAll("Cache-Control"))
	switch {
	case says.noStore, len(h.Peek("Set-Cookie")) > 0, bytes.HasPrefix(h.ContentType(), []byte("text/event-stream")):
		return false
	case f.opts.shared && (says.private || !says.public && !says.mustRevalidate && says.sharedAge < 0):
		return false // RFC 9111, section 3.5: the request said who asks
	}
	return i.life > 0 || i.canAsk()
}

// renew sets i's times by the headers of x's answer.
func (f *Filter) renew(i *item, x *exchange.Exchange, asked, now time.Time) *item {
	h := &x.HTTP.Response.Header
	if m := h.Peek("Last-Modified"); len(m) > 0 {
		i.modified = string(m)
	}
	says := parseControl(h.PeekAll("Cache-Control"))
	i.asked, i.received = asked, now.Add(-seconds(h.Peek("Age")))
	i.stale = max(f.opts.stale, says.staleWhile)
	if x.Info.IsKubernetesRequest {
		i.life = f.opts.kubernetes // kube-apiserver says no-cache, private of all; the operator knows better
		return i
	}
	i.life = f.lifetime(&says, h, now)
	if says.mustRevalidate || says.noCache {
		i.stale = 0
	}
	return i
}

// lifetime is how long an answer is fresh (RFC 9111, section 4.2.1). Expires is measured by our clock: of the backend's
// Date nothing is left here, since fasthttp writes its own.
func (f *Filter) lifetime(says *control, h *fasthttp.ResponseHeader, now time.Time) time.Duration {
	switch {
	case says.noCache:
		return 0
	case f.opts.shared && says.sharedAge >= 0:
		return says.sharedAge
	case says.maxAge >= 0:
		return says.maxAge
	}
	expires := h.Peek("Expires")
	if len(expires) == 0 {
		return f.opts.ttl
	}
	until, err := http.ParseTime(string(expires))
	if err != nil {
		return 0 // as 0, which many write: it has expired
	}
	return max(0, until.Sub(now))
}

// Explain says whether the answer would be kept, as far as the request decides.
func (f *Filter) Explain(x *exchange.Exchange) exchange.Finding {
	asks := parseControl(nil)
	switch {
	case !x.HTTP.Request.Header.IsGet():
		return exchange.Finding{Reason: "not GET: what is kept of its path is dropped"}
	case !f.mayKeep(x, &asks):
		return exchange.Finding{Reason: "not kept"}
	}
	return exchange.Finding{Reason: "answered from what is kept, or kept if the answer may be"}
}

// Measure reports what is kept.
func (f *Filter) Measure(report func(string, float64)) {
	report("entries", float64(f.items.Len()))
	report("bytes", float64(f.items.Weight()))
}

// Close has nothing to free.
func (*Filter) Close() error { return nil }
