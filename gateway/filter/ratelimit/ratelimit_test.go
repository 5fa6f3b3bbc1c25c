package ratelimit

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

var (
	alice = &exchange.User{Name: "alice", Groups: []string{"dev"}}
	bob   = &exchange.User{Name: "bob", Groups: []string{"dev", "ops"}}
	none  = &exchange.User{Name: "system:anonymous", Method: "anonymous"}
)

// asks is a list of requests and the codes that they must get.
type asks []struct {
	who  *exchange.User
	from string
	at   time.Duration
	code int
}

func try(t *testing.T, settings string, list asks) {
	t.Helper()
	f, start := filtertest.New(t, Kind, settings), time.Now()
	for i, a := range list {
		ctx := filtertest.Do(f, filtertest.Request{User: a.who, From: a.from, At: start.Add(a.at)}, nil)
		if got := ctx.Response.StatusCode(); got != a.code {
			t.Errorf("request %d: %d, want %d", i, got, a.code)
		}
	}
}

func TestByUser(t *testing.T) {
	try(t, `{"limits":[{"by":"user","requests":1,"burst":2}]}`, asks{
		{alice, "", 0, 200},
		{alice, "", 0, 200},
		{alice, "", 0, 429},
		{bob, "", 0, 200},
		{alice, "", 500 * time.Millisecond, 429},
		{alice, "", 1000 * time.Millisecond, 200},
		{alice, "", 1001 * time.Millisecond, 429},
		{none, "192.0.2.7", 0, 200},
		{none, "192.0.2.7", 0, 200},
		{none, "192.0.2.7", 0, 429},
		{none, "192.0.2.8", 0, 200},
	})
}

func TestByAddress(t *testing.T) {
	try(t, `{"limits":[{"by":"address","requests":1}]}`, asks{
		{alice, "192.0.2.7", 0, 200},
		{bob, "192.0.2.7", 0, 429},
		{alice, "192.0.2.8", 0, 200},
		{alice, "::ffff:192.0.2.8", 0, 429},
		{nil, "2001:db8::1", 0, 200},
		{nil, "2001:db8::ffff:2", 0, 429},
		{nil, "2001:db8:0:1::1", 0, 200},
	})
}

func TestByGroupAndGlobal(t *testing.T) {
	try(t, `{"limits":[{"by":"group","requests":1,"groups":["ops","dev"]}]}`, asks{
		{alice, "", 0, 200}, {alice, "", 0, 429}, {bob, "", 0, 200}, {bob, "", 0, 429}, {none, "", 0, 200}, {none, "", 0, 200},
	})
	try(t, `{"limits":[{"by":"global","requests":60,"per":"1m","burst":1}]}`, asks{{alice, "", 0, 200}, {bob, "", 0, 429}, {bob, "", time.Second, 200}})
}

// TestNoneTaken has a user who is refused leave the group's bucket alone.
func TestNoneTaken(t *testing.T) {
	try(t, `{"limits":[{"by":"group","requests":3,"per":"1h","groups":["dev"]},{"by":"user","requests":1,"per":"1h"}]}`, asks{
		{alice, "", 0, 200}, {alice, "", 0, 429}, {alice, "", 0, 429}, {alice, "", 0, 429}, {bob, "", 0, 200},
	})
}

func TestHeaders(t *testing.T) {
	f, at := filtertest.New(t, Kind, `{"limits":[{"by":"user","requests":2,"per":"10s"},{"by":"global","requests":100}]}`), time.Now()
	for i, want := range []struct {
		code              int
		limit, retryAfter string
	}{{200, `"user";r=1;t=5`, ""}, {200, `"user";r=0;t=10`, ""}, {429, `"user";r=0;t=10`, "5"}} {
		h := filtertest.Do(f, filtertest.Request{User: alice, At: at}, nil)
		got := &h.Response.Header
		if h.Response.StatusCode() != want.code || string(got.Peek("RateLimit")) != want.limit || string(got.Peek("Retry-After")) != want.retryAfter {
			t.Errorf("%d: %d %s, after %s", i, h.Response.StatusCode(), got.Peek("RateLimit"), got.Peek("Retry-After"))
		}
		if p := string(got.Peek("RateLimit-Policy")); p != `"user";q=2;w=10` {
			t.Errorf("policy %s", p)
		}
	}
	quiet := filtertest.New(t, Kind, `{"limits":[{"by":"user","requests":2}],"headers":false}`)
	if h := filtertest.Do(quiet, filtertest.Request{User: alice}, nil); h.Response.Header.Peek("RateLimit") != nil {
		t.Error("headers that were switched off")
	}
}

func TestBounded(t *testing.T) {
	f := filtertest.New(t, Kind, `{"limits":[{"by":"address","requests":1}],"buckets":32}`).(*Filter)
	for i := range 200 {
		filtertest.Do(f, filtertest.Request{From: "192.0.2." + string(rune('0'+i%10)) + string(rune('0'+i/10%10))}, nil)
	}
	f.Measure(func(name string, n float64) {
		if name != "buckets" || n > 32 || n == 0 {
			t.Errorf("%s: %v", name, n)
		}
	})
}

func TestWrong(t *testing.T) {
	for settings, want := range map[string]string{
		`{}`: "limits: needs", `{"limits":[{"by":"x"}]}`: "limits[0].by: want", `{"limits":[{"by":"user"}]}`: "limits[0].requests: must",
		`{"limits":[{"by":"group","requests":1}]}`: "limits[0].groups: belongs", `{"limits":[{"by":"user","requests":1,"groups":["a"]}]}`: "limits[0].groups: belongs",
		`{"limits":[{"by":"user","requests":1,"per":"x"}]}`: `cannot parse "x" as duration`, `{"limits":[{"by":"user","requests":1,"per":"-1s"}]}`: "limits[0].per",
		`{"limits":[{"by":"user","requests":1,"burst":-1}]}`: "limits[0].burst", `{"limits":[{"by":"user","requests":1}],"buckets":-1}`: "buckets: want",
	} {
		filtertest.Refused(t, Kind, filter.BeforeDispatch, settings, want)
	}
	filtertest.Refused(t, Kind, filter.BeforeAuthentication, `{"limits":[{"by":"user","requests":1}]}`, "limits[0].by: before authentication")
}

func TestAllocatesNothing(t *testing.T) {
	f := filtertest.New(t, Kind, `{"limits":[{"by":"user","requests":1e6},{"by":"address","requests":1e6},{"by":"group","groups":["dev"],"requests":1e6}]}`)
	filtertest.Do(f, filtertest.Request{User: alice}, func(x *exchange.Exchange) {
		next := func(*exchange.Exchange) {}
		f.Serve(x, next)
		if n := testing.AllocsPerRun(100, func() { f.Serve(x, next) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
