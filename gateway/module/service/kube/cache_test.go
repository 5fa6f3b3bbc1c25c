package kube

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/hostabi"
)

// api is a small kube-apiserver: objects of any resource, lists in pages, watches.
type api struct {
	mu      sync.Mutex
	objects map[string][]string // by path of the resource: raw objects, in order
	events  []string            // frames of every watch, from the beginning
	grown   chan struct{}       // closed when there are more events, or the epoch ends
	epoch   int                 // watches of an older one end
	expired bool                // watches are answered 410
	lists   int
	watches int
}

func newAPI() *api { return &api{objects: map[string][]string{}, grown: make(chan struct{})} }

func pod(ns, name, labels string) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":%q,"labels":{%s},"managedFields":[{}]}}`, name, ns, labels)
}

func (a *api) wake() {
	close(a.grown)
	a.grown = make(chan struct{})
}

func (a *api) send(kind, object string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	object = strings.Replace(object, `"metadata":{`, `"metadata":{"resourceVersion":"`+strconv.Itoa(100+len(a.events))+`",`, 1)
	if kind != "ERROR" {
		object = `{"kind":"Pod","apiVersion":"v1",` + object[1:]
	}
	a.events = append(a.events, fmt.Sprintf(`{"type":%q,"object":%s}`, kind, object))
	a.wake()
}

// set changes something under the lock and ends the watches.
func (a *api) set(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
	a.epoch++
	a.wake()
}

func (a *api) counts() (lists, watches int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lists, a.watches
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Query().Has("watch"):
		a.watch(w, r)
	case strings.HasSuffix(r.URL.Path, "s"):
		a.list(w, r)
	default:
		fmt.Fprint(w, `{"live":true}`)
	}
}

func (a *api) list(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lists++
	all, ok := a.objects[r.URL.Path]
	if !ok {
		w.WriteHeader(404)
		fmt.Fprint(w, `{"kind":"Status","message":"the server could not find the requested resource"}`)
		return
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	to := min(from+2, len(all)) // pages of two, whatever is asked
	more := ""
	if to < len(all) {
		more = strconv.Itoa(to)
	}
	fmt.Fprintf(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"%d","continue":%q},"items":[%s]}`,
		100+len(a.events), more, strings.Join(all[from:to], ","))
}

func (a *api) watch(w http.ResponseWriter, r *http.Request) {
	from, _ := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	next := max(from-100, 0)
	a.mu.Lock()
	a.watches++
	epoch := a.epoch
	if a.expired {
		a.mu.Unlock()
		fmt.Fprintln(w, `{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}`)
		return
	}
	defer a.mu.Unlock()
	w.(http.Flusher).Flush()
	for a.epoch == epoch && r.Context().Err() == nil {
		for ; next < len(a.events); next++ {
			fmt.Fprintln(w, a.events[next])
		}
		w.(http.Flusher).Flush()
		grown := a.grown
		a.mu.Unlock()
		select {
		case <-grown:
		case <-r.Context().Done():
		}
		a.mu.Lock()
	}
}

// cached lists or gets pods out of the cache.
func cached(tagsAndValues ...any) []any {
	return slices.Clip(append([]any{hostabi.TagSource, "cache", hostabi.TagVersion, "v1", hostabi.TagResource, "pods"}, tagsAndValues...))
}

var listPods = cached(hostabi.TagOperation, "list")

// eventually waits until ok holds, 10 s at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

// names are a list's names, in order.
func names(t *testing.T, body []byte) string {
	t.Helper()
	var list struct {
		Kind  string
		Items []struct {
			Metadata struct {
				Namespace, Name string
				ManagedFields   []any
			}
		}
	}
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%v in %q", err, body)
	}
	var s []string
	for _, i := range list.Items {
		if i.Metadata.ManagedFields != nil {
			t.Error("managed fields are kept")
		}
		s = append(s, i.Metadata.Namespace+"/"+i.Metadata.Name)
	}
	return strings.Join(s, " ")
}

func podAPI() *api {
	a := newAPI()
	a.objects["/api/v1/pods"] = []string{
		pod("b", "x", `"app":"web"`), pod("a", "z", `"app":"db","tier.example.com/x":"1"`), pod("a", "y", `"app":"web"`), pod("a-b", "q", ``), pod("a", "w", ``),
	}
	return a
}

func TestCacheReads(t *testing.T) {
	a := podAPI()
	s := start(t, Options{}, a)
	for want, args := range map[string][]any{
		"a-b/q a/w a/y a/z b/x": listPods,
		"a/w a/y a/z":           append(listPods, hostabi.TagNamespace, "a"),
		"a/y b/x":               append(listPods, hostabi.TagLabelSelector, "app=web"),
		"a/y":                   append(listPods, hostabi.TagLabelSelector, "app in (web)", hostabi.TagNamespace, "a"),
		"a/z":                   append(listPods, hostabi.TagLabelSelector, "tier.example.com/x"),
		"a-b/q a/w":             append(listPods, hostabi.TagLabelSelector, "!app"),
		"b/x":                   append(listPods, hostabi.TagFieldSelector, "metadata.name=x"),
		"a-b/q":                 append(listPods, hostabi.TagFieldSelector, "metadata.namespace=a-b"),
		"":                      append(listPods, hostabi.TagNamespace, "nowhere"),
	} {
		r := do(s, args...)
		if r.Code != hostabi.OK || r.Status != 200 || names(t, r.Body) != want {
			t.Errorf("%+v\ngot  %s\nwant %s", r.Code, names(t, r.Body), want)
		}
	}
	r := do(s, cached(hostabi.TagOperation, "get", hostabi.TagNamespace, "a", hostabi.TagName, "w")...)
	same(t, r.Body, `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"w","namespace":"a","labels":{}}}`)
	r = do(s, cached(hostabi.TagOperation, "get", hostabi.TagNamespace, "a", hostabi.TagName, "none")...)
	if r.Code != hostabi.NotFound || r.Status != 404 || r.Err != `pods "none" not found` {
		t.Errorf("%+v", r)
	}
	if lists, watches := a.counts(); lists != 3 || watches > 1 {
		t.Errorf("%d lists, %d watches; want the 3 pages of one list, one watch", lists, watches)
	}
	if st := s.Stats(); st.Hits != 11 || st.Watches != 1 || st.Objects != 5 || st.Bytes == 0 {
		t.Errorf("%+v", st)
	}
}

// What the cache cannot answer is asked live.
func TestCacheLeavesTheRest(t *testing.T) {
	a := podAPI()
	a.objects["/apis/metrics.k8s.io/v1beta1/nodes"] = []string{pod("", "n", "")}
	s := start(t, Options{}, a)
	for name, args := range map[string][]any{
		"field":    append(listPods, hostabi.TagFieldSelector, "status.phase=Running"),
		"limit":    append(listPods, hostabi.TagLimit, "1"),
		"continue": append(listPods, hostabi.TagContinue, "2"),
		"metrics": {
			hostabi.TagSource, "cache", hostabi.TagOperation, "list", hostabi.TagGroup, "metrics.k8s.io", hostabi.TagVersion, "v1beta1",
			hostabi.TagResource, "nodes",
		},
	} {
		before, _ := a.counts()
		if r := do(s, args...); r.Code != hostabi.OK {
			t.Errorf("%s: %+v", name, r)
		}
		if after, _ := a.counts(); after == before {
			t.Errorf("%s: not asked live", name)
		}
	}
	if st := s.Stats(); st.Hits != 0 || st.Unsupported != 2 {
		t.Errorf("%+v", st)
	}
	r := do(s, hostabi.TagSource, "cache", hostabi.TagOperation, "list", hostabi.TagVersion, "v1", hostabi.TagResource, "gadgets")
	if r.Code != hostabi.NotFound || s.Stats().Unready != 1 {
		t.Errorf("%+v, %+v", r, s.Stats())
	}
}

func TestCacheFollows(t *testing.T) {
	a := podAPI()
	s := start(t, Options{}, a)
	holds := func(want string) {
		t.Helper()
		var got string
		eventually(t, "the cache holds "+want, func() bool {
			got = names(t, do(s, listPods...).Body)
			return got == want
		})
	}
	holds("a-b/q a/w a/y a/z b/x")
	a.send("ADDED", pod("c", "n", ""))
	a.send("DELETED", pod("a", "w", ""))
	a.send("BOOKMARK", `{"metadata":{"annotations":{}}}`)
	a.send("MODIFIED", pod("b", "x", `"new":"yes"`))
	holds("a-b/q a/y a/z b/x c/n")
	eventually(t, "the change of labels", func() bool {
		return names(t, do(s, append(listPods, hostabi.TagLabelSelector, "new=yes")...).Body) == "b/x"
	})
	before, _ := a.counts()
	a.set(func() {}) // the watch ends: it goes on from where it was
	a.send("DELETED", pod("a", "y", ""))
	holds("a-b/q a/z b/x c/n")
	if after, _ := a.counts(); after != before {
		t.Error("a watch that ended in good order cost a list")
	}
	a.set(func() { // it cannot go on: everything is read again
		a.objects["/api/v1/pods"] = []string{pod("z", "only", "")}
		a.expired = true
	})
	eventually(t, "a new list", func() bool { lists, _ := a.counts(); return lists > before })
	a.set(func() { a.expired = false })
	holds("z/only")
	if st := s.Stats(); st.Objects != 1 {
		t.Errorf("%+v", st)
	}
}

// A broken watch's objects are given out for a while only.
func TestCacheGoesStale(t *testing.T) {
	a := podAPI()
	s := start(t, Options{Cache: CacheOptions{Stale: 5 * time.Millisecond}}, a)
	if r := do(s, listPods...); r.Code != hostabi.OK || s.Stats().Hits != 1 {
		t.Fatalf("%+v", r)
	}
	a.set(func() { // neither watch nor list any more
		a.expired = true
		a.objects["/api/v1/pods"] = []string{`{}`}
	})
	eventually(t, "live answers", func() bool { do(s, listPods...); return s.Stats().Unready > 0 })
}

func TestCacheBounds(t *testing.T) {
	for name, opt := range map[string]CacheOptions{"objects": {MaxObjects: 5}, "bytes": {MaxBytes: 350}} {
		a := podAPI()
		s := start(t, Options{Cache: opt}, a)
		if r := do(s, listPods...); r.Code != hostabi.OK || s.Stats().Hits != 1 || s.Stats().Objects != 5 {
			t.Fatalf("%s: %+v, %+v", name, r.Code, s.Stats())
		}
		for i := range 3 {
			a.send("ADDED", pod("new", strconv.Itoa(i), ""))
		}
		eventually(t, name, func() bool { do(s, listPods...); return s.Stats().TooLarge > 0 })
		if st := s.Stats(); st.Objects != 0 || st.Bytes != 0 {
			t.Errorf("%s: %+v is kept", name, st)
		}
	}
	a := podAPI()
	a.objects["/api/v1/nodes"] = []string{}
	s := start(t, Options{Cache: CacheOptions{MaxResources: 1}}, a)
	do(s, listPods...)
	if r := do(s, hostabi.TagSource, "cache", hostabi.TagOperation, "list", hostabi.TagVersion, "v1", hostabi.TagResource, "nodes"); r.Code != hostabi.OK {
		t.Errorf("%+v", r)
	}
	if st := s.Stats(); st.Watches != 1 || st.Unsupported != 1 {
		t.Errorf("%+v", st)
	}
	call := callOf(nil, everything, append(listPods, hostabi.TagAs, "module")...)
	call.MaxBytes = 100
	if r := s.Do(t.Context(), call); r.Code != hostabi.TooLarge {
		t.Errorf("%+v", r)
	}
}

// A watch that nobody reads from ends, and begins again when somebody does.
func TestCacheIdles(t *testing.T) {
	a := podAPI()
	s := start(t, Options{Cache: CacheOptions{Idle: 30 * time.Millisecond}}, a)
	do(s, listPods...)
	eventually(t, "the watch ends", func() bool { return s.Stats().Watches == 0 })
	if r := do(s, listPods...); names(t, r.Body) != "a-b/q a/w a/y a/z b/x" {
		t.Errorf("%s", r.Body)
	}
}

// Callers read the cache only where Kubernetes' own RBAC has no say.
func TestCacheAndIdentity(t *testing.T) {
	for identity, hits := range map[Identity]int64{Impersonate: 1, Strict: 0, Plain: 1} {
		a := podAPI()
		s := start(t, Options{Identity: identity, Authorize: allowAll}, a)
		if r := doAs(s, alice, everything, listPods...); r.Code != hostabi.OK || s.Stats().Hits != hits {
			t.Errorf("%s: %+v, %+v", identity, r.Code, s.Stats())
		}
	}
}
