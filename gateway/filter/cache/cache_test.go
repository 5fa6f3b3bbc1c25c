package cache

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

var alice, bob = &exchange.User{Name: "alice", Groups: []string{"a"}}, &exchange.User{Name: "bob"}

// origin is a backend that counts its answers, which are their numbers.
type origin struct {
	n      atomic.Int64
	header map[string]string
	last   map[string]string // request headers of the last request
	stream bool
	code   int
}

func (o *origin) serve(x *exchange.Exchange) {
	n := o.n.Add(1)
	h := &x.HTTP.Request.Header
	o.last = map[string]string{"If-None-Match": string(h.Peek("If-None-Match")), "If-Modified-Since": string(h.Peek("If-Modified-Since"))}
	resp := &x.HTTP.Response
	for k, v := range o.header {
		resp.Header.Set(k, v)
	}
	if tag := o.header["ETag"]; tag != "" && o.last["If-None-Match"] == tag {
		resp.SetStatusCode(304)
		return
	}
	if o.code != 0 {
		resp.SetStatusCode(o.code)
	}
	body := fmt.Sprintf("answer %d", n)
	if o.stream {
		x.StreamBody(io.NopCloser(strings.NewReader(body)), -1)
		return
	}
	resp.SetBodyString(body)
}

// step is a request and what must come of it.
type step struct {
	after  time.Duration
	r      filtertest.Request
	code   int // 0: 200
	answer int // number of the backend's answer
	status string
}

func get(user *exchange.User, header ...string) filtertest.Request {
	r := filtertest.Request{Path: "/kapis/x/v1/things", User: user, Header: map[string]string{}}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = header[i+1]
	}
	return r
}

// play has a fresh filter answer steps, in a time of its own.
func play(t *testing.T, settings string, o *origin, steps []step) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := filtertest.New(t, Kind, settings)
		for i, s := range steps {
			time.Sleep(s.after)
			ctx := filtertest.Do(f, s.r, o.serve)
			code := max(s.code, 200)
			body := string(ctx.Response.Body())
			if ctx.Response.StatusCode() != code || s.answer > 0 && code == 200 && body != fmt.Sprintf("answer %d", s.answer) {
				t.Errorf("step %d: %d %q, want %d, answer %d", i, ctx.Response.StatusCode(), body, code, s.answer)
			}
			if got := string(ctx.Response.Header.Peek("Cache-Status")); !strings.HasPrefix(got, s.status) || s.status == "" && got != "" {
				t.Errorf("step %d: Cache-Status %q, want %q", i, got, s.status)
			}
		}
	})
}

const (
	hit  = "postern; hit"
	miss = "postern; fwd=miss; stored"
)

func TestFresh(t *testing.T) {
	for _, stream := range []bool{false, true} {
		o := &origin{header: map[string]string{"Cache-Control": "max-age=10", "X-Own": "1", "Content-Type": "text/own"}, stream: stream}
		play(t, `{}`, o, []step{
			{0, get(alice), 0, 1, miss},
			{time.Second, get(alice), 0, 1, hit},
			{0, get(bob), 0, 2, miss},
			{0, get(alice), 0, 1, hit},
			{0, get(&exchange.User{Name: "alice", Groups: []string{"a", "ops"}}), 0, 3, miss}, // other groups, other rights
			{0, get(alice, "Accept", "x/y"), 0, 4, miss},
			{0, get(alice, "Cache-Control", "no-store"), 0, 5, ""},
			{0, get(alice, "Cache-Control", "no-cache"), 0, 6, miss},
			{0, get(alice), 0, 6, hit},
			{0, get(alice, "Pragma", "no-cache"), 0, 7, miss},
			{5 * time.Second, get(alice, "Cache-Control", "max-age=4"), 0, 8, miss},
			{0, get(alice, "Cache-Control", "min-fresh=11"), 0, 9, miss},
			{11 * time.Second, get(alice), 0, 10, miss},
			{11 * time.Second, get(alice, "Cache-Control", "only-if-cached"), 504, 0, ""},
			{0, get(alice, "Range", "bytes=0-1"), 0, 11, ""},
			{0, get(alice, "Upgrade", "websocket"), 0, 12, ""},
		})
	}
}

func TestHitIsWhole(t *testing.T) {
	f, o := filtertest.New(t, Kind, `{}`), &origin{header: map[string]string{"Cache-Control": "max-age=10", "X-Own": "1", "Content-Type": "text/own", "Age": "3"}}
	for range 2 {
		ctx := filtertest.Do(f, get(alice), o.serve)
		h := &ctx.Response.Header
		if string(h.ContentType()) != "text/own" || string(h.Peek("X-Own")) != "1" || len(h.PeekAll("X-Own")) != 1 || string(h.Peek("Age")) != "3" {
			t.Errorf("%s", h)
		}
	}
	if o.n.Load() != 1 {
		t.Errorf("asked %d times", o.n.Load())
	}
}

func TestNotKept(t *testing.T) {
	for _, header := range map[string]map[string]string{
		"nothing said": {}, "no-store": {"Cache-Control": "no-store, max-age=10"}, "a cookie": {"Cache-Control": "max-age=10", "Set-Cookie": "a=b"},
		"varies by all": {"Cache-Control": "max-age=10", "Vary": "*"}, "expired": {"Expires": "0"}, "events": {"Cache-Control": "max-age=9", "Content-Type": "text/event-stream"},
	} {
		play(t, `{}`, &origin{header: header}, []step{{0, get(alice), 0, 1, ""}, {0, get(alice), 0, 2, ""}})
	}
	play(t, `{}`, &origin{header: map[string]string{"Cache-Control": "max-age=10"}, code: 404}, []step{{0, get(alice), 404, 0, ""}, {0, get(alice), 404, 0, ""}})
	play(t, `{"maxBody":"4B"}`, &origin{header: map[string]string{"Cache-Control": "max-age=10"}, stream: true}, []step{{0, get(alice), 0, 1, ""}, {0, get(alice), 0, 2, ""}})
	play(t, `{"ttl":"5s"}`, &origin{}, []step{{0, get(alice), 0, 1, miss}, {4 * time.Second, get(alice), 0, 1, hit}, {time.Second, get(alice), 0, 2, miss}})
}

func TestExpires(t *testing.T) {
	o := &origin{header: map[string]string{"Expires": "Sat, 01 Jan 2000 00:00:07 GMT"}}
	play(t, `{}`, o, []step{{0, get(alice), 0, 1, miss}, {6 * time.Second, get(alice), 0, 1, hit}, {time.Second, get(alice), 0, 2, ""}})
}

func TestRevalidation(t *testing.T) {
	o := &origin{header: map[string]string{"Cache-Control": "max-age=10", "ETag": `"one"`}}
	play(t, `{}`, o, []step{
		{0, get(alice), 0, 1, miss},
		{11 * time.Second, get(alice), 0, 1, "postern; fwd=stale"},
		{time.Second, get(alice), 0, 1, hit},
		{0, get(alice, "If-None-Match", `"x", W/"one"`), 304, 0, hit},
		{0, get(alice, "If-None-Match", `"two"`), 0, 1, hit},
		{11 * time.Second, get(alice, "If-None-Match", `"two"`), 0, 1, "postern; fwd=stale"},
		{11 * time.Second, get(alice, "If-None-Match", `"one"`), 304, 0, "postern; fwd=stale"},
	})
	if o.n.Load() != 4 || o.last["If-None-Match"] != `"one"` {
		t.Errorf("asked %d times, last %v", o.n.Load(), o.last)
	}
	o = &origin{header: map[string]string{"Cache-Control": "no-cache", "ETag": `"one"`}} // asked each time
	play(t, `{}`, o, []step{{0, get(alice), 0, 1, miss}, {0, get(alice), 0, 1, "postern; fwd=stale"}, {0, get(alice), 0, 1, "postern; fwd=stale"}})
	o = &origin{header: map[string]string{"Cache-Control": "max-age=1", "Last-Modified": "Sat, 01 Jan 2000 00:00:00 GMT"}}
	play(t, `{}`, o, []step{
		{0, get(alice), 0, 1, miss},
		{0, get(alice, "If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"), 304, 0, hit},
		{0, get(alice, "If-Modified-Since", "Fri, 31 Dec 1999 00:00:00 GMT"), 0, 1, hit},
		{2 * time.Second, get(alice), 0, 2, miss},
	})
	if o.last["If-Modified-Since"] != "Sat, 01 Jan 2000 00:00:00 GMT" {
		t.Errorf("asked %v", o.last)
	}
}

// TestOwnTags has answers without an entity tag get one, which the backend never sees.
func TestOwnTags(t *testing.T) {
	o := &origin{header: map[string]string{"Cache-Control": "max-age=10"}}
	f := filtertest.New(t, Kind, `{}`)
	etag := string(filtertest.Do(f, get(alice), o.serve).Response.Header.Peek("ETag"))
	ctx := filtertest.Do(f, get(alice, "If-None-Match", etag), o.serve)
	if ctx.Response.StatusCode() != 304 || string(ctx.Response.Header.Peek("ETag")) != etag || ctx.Response.Header.Peek("Content-Type") != nil && len(ctx.Response.Body()) > 0 {
		t.Errorf("%s: %d", etag, ctx.Response.StatusCode())
	}
	other := filtertest.New(t, Kind, `{}`) // knows nothing yet
	o.n.Store(0)
	if code := filtertest.Do(other, get(alice, "If-None-Match", etag), o.serve).Response.StatusCode(); code != 304 || o.last["If-None-Match"] != "" {
		t.Errorf("%d, the backend was asked %v", code, o.last)
	}
	if h := filtertest.Do(filtertest.New(t, Kind, `{"etags":false}`), get(alice), o.serve); h.Response.Header.Peek("ETag") != nil {
		t.Error("a tag that was switched off")
	}
}

func TestVary(t *testing.T) {
	o := &origin{header: map[string]string{"Cache-Control": "max-age=10", "Vary": "Accept-Language, X-Zone"}}
	play(t, `{}`, o, []step{
		{0, get(alice, "Accept-Language", "en"), 0, 1, miss},
		{0, get(alice, "Accept-Language", "de"), 0, 2, miss},
		{0, get(alice, "Accept-Language", "en"), 0, 1, hit},
		{0, get(alice, "Accept-Language", "de"), 0, 2, hit},
		{0, get(alice, "X-Zone", "en"), 0, 3, miss},
	})
}

func TestWritesVoid(t *testing.T) {
	o := &origin{header: map[string]string{"Cache-Control": "max-age=100"}}
	post := get(bob)
	post.Method = "POST"
	put := post
	put.Method, put.Path = "PUT", "/kapis/x/v1/things/one"
	other := put
	other.Path = "/kapis/x/v1/others/one"
	play(t, `{}`, o, []step{
		{0, get(alice), 0, 1, miss},
		{1, post, 0, 2, ""},
		{1, get(alice), 0, 3, miss},
		{1, put, 0, 4, ""},
		{1, get(alice), 0, 5, miss},
		{1, other, 0, 6, ""},
		{1, get(alice), 0, 5, hit},
	})
}

func TestKubernetes(t *testing.T) {
	o := &origin{header: map[string]string{"Cache-Control": "no-cache, private"}}
	pods := func(verb string) filtertest.Request {
		return filtertest.Request{Path: "/api/v1/pods", User: alice, Info: func(i *exchange.RequestInfo) {
			i.IsKubernetesRequest, i.IsResourceRequest, i.Verb = true, true, verb
		}}
	}
	play(t, `{"ttl":"1h"}`, o, []step{{0, pods("list"), 0, 1, ""}, {0, pods("list"), 0, 2, ""}})
	o.n.Store(0)
	play(t, `{"kubernetesTTL":"2s"}`, o, []step{
		{0, pods("list"), 0, 1, miss}, {time.Second, pods("list"), 0, 1, hit}, {time.Second, pods("list"), 0, 2, miss}, {0, pods("watch"), 0, 3, ""},
	})
}

func TestShared(t *testing.T) {
	o := &origin{header: map[string]string{"Cache-Control": "public, max-age=10"}}
	play(t, `{"shared":true}`, o, []step{{0, get(alice), 0, 1, miss}, {0, get(bob), 0, 1, hit}})
	for _, says := range []string{"max-age=10", "private, max-age=10"} {
		play(t, `{"shared":true}`, &origin{header: map[string]string{"Cache-Control": says}}, []step{{0, get(alice), 0, 1, ""}, {0, get(bob), 0, 2, ""}})
	}
}

// TestOneAsks has many want the same: one asks, the others get its answer.
func TestOneAsks(t *testing.T) {
	for _, c := range []struct {
		settings string
		prime    bool // there is a stale answer, which those who do not ask get at once
	}{{`{}`, false}, {`{"staleWhileRevalidate":"1m"}`, true}} {
		synctest.Test(t, func(t *testing.T) {
			f, o := filtertest.New(t, Kind, c.settings), &origin{header: map[string]string{"Cache-Control": "max-age=10"}}
			if c.prime {
				filtertest.Do(f, get(alice), o.serve)
				time.Sleep(11 * time.Second)
			}
			before, release := o.n.Load(), make(chan struct{})
			var all sync.WaitGroup
			var bodies sync.Map
			ask := func() {
				ctx := filtertest.Do(f, get(alice), func(x *exchange.Exchange) {
					<-release
					o.serve(x)
				})
				n, _ := bodies.LoadOrStore(string(ctx.Response.Body()), new(atomic.Int64))
				n.(*atomic.Int64).Add(1)
			}
			for range 5 {
				all.Go(ask)
			}
			synctest.Wait()
			close(release)
			all.Wait()
			if n := o.n.Load() - before; n != 1 {
				t.Errorf("%s: asked %d times", c.settings, n)
			}
			if stale, ok := bodies.Load("answer 1"); c.prime && (!ok || stale.(*atomic.Int64).Load() != 4) {
				t.Error("nobody got the stale answer")
			}
		})
	}
}

func TestBounded(t *testing.T) {
	f, o := filtertest.New(t, Kind, `{"maxEntries":5}`), &origin{header: map[string]string{"Cache-Control": "max-age=10"}}
	for i := range 20 {
		r := get(alice)
		r.Path += fmt.Sprint(i)
		filtertest.Do(f, r, o.serve)
	}
	f.(filter.Measurer).Measure(func(name string, n float64) {
		if name == "entries" && n != 5 || n == 0 {
			t.Errorf("%s: %v", name, n)
		}
	})
}

func TestWrong(t *testing.T) {
	for settings, want := range map[string]string{
		`{"ttl":"-1s"}`: "ttl: must", `{"maxBody":0}`: "maxBody: want", `{"maxBytes":"1MiB"}`: "maxBytes: must", `{"maxEntries":-1}`: "maxEntries: must",
		`{"shared":true,"kubernetesTTL":"1s"}`: "kubernetesTTL: does not go",
	} {
		filtertest.Refused(t, Kind, filter.BeforeAnswer, settings, want)
	}
}
