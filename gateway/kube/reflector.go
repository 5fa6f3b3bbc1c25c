package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pageSize    = 500
	pageTimeout = 2 * time.Minute
	firstWait   = 250 * time.Millisecond // after a failure; doubled up to lastWait
	lastWait    = 10 * time.Second       // short: a CRD that is installed late is found by then
	watchLife   = 5 * time.Minute        // at least; the server ends a watch, we begin the next
)

// reflector keeps a store as the cluster has it: it lists once, then watches from there, and lists again only when the
// server has forgotten where we were.
type reflector[T any] struct {
	client  *client
	path    string
	kind    string
	convert func(*object) *T
	whole   bool // convert uses the object's text
	store   store[T]
	report  func(kind string, err error) // of a failure that is new, and nil when it is over
	drop    func(kind, key string, err error)

	once     sync.Once
	read     chan struct{}
	restarts atomic.Int64
	at       progress
	mu       sync.Mutex
	synced   bool
	err      error
}

// addFeed has a reflector fill a store.
func addFeed[T any](p *Stores, group, kind string, convert func(*object) *T, s store[T]) {
	p.feeds = append(p.feeds, &reflector[T]{
		client: p.client, path: group + kind, kind: kind, convert: convert, store: s, read: make(chan struct{}), report: p.report, drop: p.drop,
	})
}

// report logs a failure once, and its end.
func (p *Stores) report(kind string, err error) {
	if err != nil {
		p.log.Warn().Str("store", kind).Err(err).Msg("cannot follow; what was read before stays in force")
		return
	}
	p.log.Info().Str("store", kind).Msg("followed")
}

// drop logs an object that is left out.
func (p *Stores) drop(kind, key string, err error) {
	p.log.Warn().Str("store", kind).Str("object", key).Err(err).Msg("cannot read object; it is left out")
}

func (r *reflector[T]) name() string           { return r.kind }
func (r *reflector[T]) first() <-chan struct{} { return r.read }
func (r *reflector[T]) reached() *progress     { return &r.at }

// serves is the API group and the resource; the core group's is empty.
func (r *reflector[T]) serves() (group, resource string) {
	rest, _ := strings.CutPrefix(r.path, "/apis/")
	group, _, _ = strings.Cut(strings.TrimPrefix(rest, "/api/"), "/")
	if rest == r.path {
		group = ""
	}
	return group, r.kind
}

func (r *reflector[T]) state() (bool, int, int64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.synced, r.store.len(), r.restarts.Load(), r.err
}

// run follows until ctx ends.
func (r *reflector[T]) run(ctx context.Context) {
	version, wait := "", firstWait
	for ctx.Err() == nil {
		start := time.Now()
		var err error
		if version, err = r.step(ctx, version); ctx.Err() != nil {
			return
		}
		r.note(err)
		if time.Since(start) > lastWait || err == nil && version == "" {
			wait = firstWait // it went well for a while, or is only to list anew
		}
		r.restarts.Add(1)
		pause(ctx, wait)
		wait = min(2*wait, lastWait)
	}
}

// step lists, without a version to go on from, and watches. It returns the version to go on from; empty is to list again.
func (r *reflector[T]) step(ctx context.Context, version string) (string, error) {
	if version == "" {
		var err error
		if version, err = r.list(ctx); err != nil {
			return "", err
		}
		r.at.reach(version)
		r.markRead()
	}
	for {
		start := time.Now()
		err := r.watch(ctx, &version)
		switch answered, gone := answer(err); {
		case gone:
			return "", nil
		case answered: // it may not know our version, for example after etcd was restored
			return "", err
		case err != nil:
			return version, err
		}
		if time.Since(start) < time.Second { // a server that ends watches at once is not asked in a tight loop
			return version, nil
		}
	}
}

// markRead says that the store is complete.
func (r *reflector[T]) markRead() {
	r.note(nil)
	r.mu.Lock()
	r.synced = true
	r.mu.Unlock()
	r.once.Do(func() { close(r.read) })
}

// note keeps the state of things, and reports it when it changes.
func (r *reflector[T]) note(err error) {
	r.mu.Lock()
	changed := (err == nil) != (r.err == nil) || err == nil && !r.synced
	r.err = err
	r.mu.Unlock()
	if changed {
		r.report(r.kind, err)
	}
}

// pause waits d, half of it more or less, so that many feeds do not ask at once.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d/2 + rand.N(d)):
	}
}

// list gives the store what the cluster has, page by page, and at the end takes away what that has not. What allows less
// than it should while a page is missing is as good as what has not been read; whole objects, which say what should run, are
// given at once.
func (r *reflector[T]) list(ctx context.Context) (version string, err error) {
	l := listing[T]{all: map[key]*T{}}
	if !r.whole {
		l.to = r.store
	}
	l.first = r.store.len() == 0 && l.to != nil
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for {
		p, err := r.page(ctx, query, &l)
		if err != nil {
			return "", fmt.Errorf("cannot list %s: %w", r.kind, err)
		}
		if p.Continue == "" {
			l.end(r.store)
			return p.ResourceVersion, nil
		}
		query.Set("continue", p.Continue)
	}
}

// listing is a list under way.
type listing[T any] struct {
	to    store[T] // takes each object as it comes; nil: at the end
	first bool     // there was nothing: nothing has to go at the end
	all   map[key]*T
}

func (l *listing[T]) add(k key, v *T) {
	if l.to != nil {
		l.to.set(k, v)
		v = nil
	}
	if !l.first {
		l.all[k] = v
	}
}

func (l *listing[T]) end(s store[T]) {
	for k, v := range l.all {
		if v != nil {
			s.set(k, v)
		}
	}
	if l.first {
		return
	}
	for _, k := range s.keys() {
		if _, there := l.all[k]; !there {
			s.remove(k)
		}
	}
}

func (r *reflector[T]) page(ctx context.Context, query url.Values, l *listing[T]) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	body, err := r.client.do(ctx, call{method: http.MethodGet, path: r.path, accept: r.accept("List"), query: query})
	if err != nil {
		return page{}, err
	}
	defer body.Close() //nolint:errcheck // only read
	return decodeList(body, r.whole, func(o *object, err error) {
		if err == nil {
			l.add(o.key(), r.convert(o))
			return
		}
		r.drop(r.kind, o.name(), err)
	})
}

// accept asks for metadata alone where nothing else is used.
func (r *reflector[T]) accept(list string) string {
	if r.kind == "namespaces" {
		return "application/json;as=PartialObjectMetadata" + list + ";g=meta.k8s.io;v=v1,application/json"
	}
	return "application/json"
}

// watch follows changes from version on, and moves it along. It returns nil when the server ends the watch in time.
func (r *reflector[T]) watch(ctx context.Context, version *string) error {
	life := watchLife + rand.N(watchLife)
	ctx, cancel := context.WithTimeout(ctx, life+headTimeout)
	defer cancel()
	body, err := r.client.do(ctx, call{method: http.MethodGet, path: r.path, accept: r.accept(""), query: url.Values{
		"watch": {"1"}, "allowWatchBookmarks": {"true"}, "resourceVersion": {*version}, "timeoutSeconds": {strconv.Itoa(int(life.Seconds()))},
	}})
	if err != nil {
		return fmt.Errorf("cannot watch %s: %w", r.kind, err)
	}
	defer body.Close() //nolint:errcheck // only read
	r.note(nil)
	if err := events(body, func(e event) error { return r.apply(e, version) }); err != nil {
		return fmt.Errorf("cannot go on watching %s: %w", r.kind, err)
	}
	return nil
}

// apply takes over one event.
func (r *reflector[T]) apply(e event, version *string) error {
	if e.Type == "ERROR" {
		var status struct {
			Code    int
			Message string
		}
		if err := json.Unmarshal(e.Object, &status); err != nil {
			return fmt.Errorf("cannot decode error: %w", err)
		}
		return &failure{status.Code, status.Message}
	}
	o := &object{text: e.Object}
	err := json.Unmarshal(e.Object, o)
	if err != nil && !isFieldError(err) {
		return fmt.Errorf("cannot decode event: %w", err)
	}
	switch e.Type {
	case "ADDED", "MODIFIED":
		if err != nil { // it is not what it was, whatever it is
			r.drop(r.kind, o.name(), err)
			r.store.remove(o.key())
		} else {
			r.store.set(o.key(), r.convert(o))
		}
	case "DELETED":
		r.store.remove(o.key())
	}
	*version = o.Metadata.ResourceVersion
	r.at.reach(*version)
	return nil
}
