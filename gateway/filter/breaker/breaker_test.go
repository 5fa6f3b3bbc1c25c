package breaker

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/filter"
	"github.com/posternhq/postern/gateway/filter/filtertest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"))
}

// answers answers with code.
func answers(code int) exchange.Handler {
	return func(x *exchange.Exchange) { x.HTTP.Response.SetStatusCode(code) }
}

func group(name string) filtertest.Request {
	return filtertest.Request{Info: func(i *exchange.RequestInfo) { i.APIPrefix, i.APIGroup = "kapis", name }}
}

func TestServe(t *testing.T) {
	f := filtertest.New(t, Kind, `{"minRequests":4,"openFor":"1h"}`)
	for i, code := range []int{200, 500, 502, 503} {
		if got := filtertest.Do(f, group("a"), answers(code)).Response.StatusCode(); got != code {
			t.Errorf("%d: got %d", i, got)
		}
	}
	ctx := filtertest.Do(f, group("a"), func(*exchange.Exchange) { t.Error("passed on by an open circuit") })
	if ctx.Response.StatusCode() != 503 || string(ctx.Response.Header.Peek("Retry-After")) != "3600" {
		t.Errorf("%s", &ctx.Response.Header)
	}
	if got := filtertest.Do(f, group("b"), answers(200)).Response.StatusCode(); got != 200 {
		t.Errorf("another backend: %d", got)
	}
	states := map[string]float64{}
	f.(filter.Measurer).Measure(func(name string, n float64) { states[name] = n })
	if states["circuits"] != 2 || states["open"] != 1 {
		t.Errorf("%v", states)
	}
	one := filtertest.New(t, Kind, `{"by":"all","minRequests":1,"errorRate":1,"codes":[500]}`)
	filtertest.Do(one, group("a"), answers(500))
	if got := filtertest.Do(one, group("b"), answers(200)).Response.StatusCode(); got != 503 {
		t.Errorf("one circuit for all: %d", got)
	}
}

func TestPanicIsAFailure(t *testing.T) {
	f := filtertest.New(t, Kind, `{"minRequests":1,"errorRate":1}`)
	func() {
		defer func() { _ = recover() }()
		filtertest.Do(f, group("a"), func(*exchange.Exchange) { panic("backend") })
	}()
	if got := filtertest.Do(f, group("a"), answers(200)).Response.StatusCode(); got != 503 {
		t.Errorf("got %d", got)
	}
}

func TestCircuit(t *testing.T) {
	f := filtertest.New(t, Kind, `{"minRequests":4,"window":"10s","openFor":"5s","probes":2}`).(*Filter)
	c, now := f.fresh(), time.Unix(1000, 0)
	one := func(after time.Duration, v verdict, want bool) {
		t.Helper()
		now = now.Add(after)
		turn, ok, _ := c.enter(now)
		if ok != want {
			t.Fatalf("at %s: let through %v", now, ok)
		}
		if ok {
			c.leave(now, turn, v)
		}
	}
	for range 3 {
		one(0, bad, true) // too few
	}
	one(11*time.Second, bad, true) // the window has passed
	one(0, unknown, true)
	for range 2 {
		one(0, fine, true)
	}
	one(0, bad, true) // 2 of 4
	one(0, fine, false)
	one(4*time.Second, fine, false)
	late, _, _ := c.enter(now.Add(2 * time.Second)) // the first probe
	turn, ok, _ := c.enter(now.Add(2 * time.Second))
	if _, third, wait := c.enter(now.Add(2 * time.Second)); !ok || third || wait != time.Second {
		t.Fatalf("second probe %v, third %v, wait %s", ok, third, wait)
	}
	c.leave(now.Add(2*time.Second), turn, bad) // open again
	c.leave(now.Add(2*time.Second), late, fine)
	one(3*time.Second, fine, false)
	one(10*time.Second, unknown, true) // a probe whose client left says nothing
	one(0, fine, true)
	if !c.isOpen() {
		t.Error("closed after one probe of two")
	}
	one(0, fine, true)
	if c.isOpen() {
		t.Error("still open")
	}
	for range 3 {
		one(0, bad, true) // what was counted before is forgotten
	}
}

func TestWrong(t *testing.T) {
	for settings, want := range map[string]string{
		`{"by":"x"}`: "by: want", `{"window":"1ms"}`: "window: must", `{"minRequests":-1}`: "minRequests: must", `{"errorRate":2}`: "errorRate: must",
		`{"openFor":"-1s"}`: "openFor: must", `{"probes":-1}`: "probes: must", `{"codes":[200]}`: "codes[0]: want",
	} {
		filtertest.Refused(t, Kind, filter.BeforeAnswer, settings, want)
	}
}

func TestAllocatesNothing(t *testing.T) {
	f := filtertest.New(t, Kind, `{}`)
	filtertest.Do(f, group("a"), func(x *exchange.Exchange) {
		next := answers(200)
		f.Serve(x, next)
		if n := testing.AllocsPerRun(100, func() { f.Serve(x, next) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
