package manager

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
)

// share is a rollout that gives the new version a tenth, and decides as soon as it has answered 50 requests.
func share() *Rollout {
	return &Rollout{Weight: 10, MinRequests: 50, MaxErrorRate: 0.01} // latency is another test's: the machine may be busy
}

// rolling is a folder whose modules roll out as r says, at the moment.
func rolling(t *testing.T, r *Rollout) *folder {
	f := newFolder(t, plain)
	f.opts.Rollout = func(string) *Rollout { return r }
	return f
}

// load asks module a from so many goroutines until the rollout has ended, and says how many got an answer with each status.
func (f *folder) load(clients int) (answers, failures int64) {
	f.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	var good, bad atomic.Int64
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				m := f.Table().Find("a.io", "v1")
				code, _ := ask(f.t, "/kapis/a.io/v1/x", func(x *exchange.Exchange) {
					if !m.Serve(x) {
						f.t.Error("the module has gone")
					}
				})
				good.Add(1)
				if code != 200 {
					bad.Add(1)
				}
			}
		})
	}
	eventually(f.t, "the rollout ends", func() bool {
		f.look()
		st, _ := f.Of("a")
		return st.State != Trying
	})
	cancel()
	all.Wait()
	return good.Load(), bad.Load()
}

func TestGoodVersionIsPromoted(t *testing.T) {
	f := rolling(t, share())
	f.put("a.wasm", of(t, "one"))
	f.look()
	if st, _ := f.Of("a"); st.State != Serving { // there was nothing to compare it with
		t.Fatalf("%+v", st)
	}
	f.put("a.wasm", of(t, "two"))
	f.look()
	st, _ := f.Of("a")
	if st.State != Trying || st.Digest != module.Digest(of(t, "one")) || st.Rollout == nil || st.Rollout.Digest != module.Digest(of(t, "two")) {
		t.Fatalf("%+v", st)
	}
	if _, failures := f.load(3); failures != 0 {
		t.Errorf("%d requests failed", failures)
	}
	f.want("a.io/v1", "two", "a.io/v1", "two", "a.io/v1", "two")
	if st, _ = f.Of("a"); st.State != Serving || len(st.History) != 2 {
		t.Errorf("%+v", st)
	}
	mustDo(t, "rolled back")(f.Rollback(f.context(), "a", "")) // at once, without a rollout
	f.want("a.io/v1", "one")
}

// TestFailingVersionIsTakenBack costs no more requests than the share of the new version.
func TestFailingVersionIsTakenBack(t *testing.T) {
	f := rolling(t, share())
	f.put("a.wasm", of(t, "one"))
	f.look()
	f.put("a.wasm", guests.Trapping(t, serving("a", "a.io/v1")))
	f.look()
	answers, failures := f.load(3)
	// A request of each client may have been under way at the end.
	if failures == 0 || failures > answers/10+3 {
		t.Errorf("%d of %d requests failed", failures, answers)
	}
	f.want("a.io/v1", "one")
	if err := f.failing("a.wasm"); !strings.Contains(err, "requests failed") {
		t.Errorf("got %q", err)
	}
	if n := f.Rollbacks()["canary"]; n != 1 {
		t.Errorf("%d were counted", n)
	}
	f.restart()
	f.want("a.io/v1", "one")
}

func TestSlowVersionIsTakenBack(t *testing.T) {
	r := share()
	r.MaxLatencyRatio = 2
	f := rolling(t, r)
	f.put("a.wasm", of(t, "one"))
	f.look()
	f.put("a.wasm", guests.Slow(t, "two", serving("a", "a.io/v1"), 30_000_000))
	f.look()
	if _, failures := f.load(1); failures != 0 {
		t.Errorf("%d requests failed", failures)
	}
	f.want("a.io/v1", "one")
	if err := f.failing("a.wasm"); !strings.Contains(err, "more than 2 times") {
		t.Errorf("got %q", err)
	}
}

// TestRolloutByHand waits for an operator, over a restart too.
func TestRolloutByHand(t *testing.T) {
	r := share()
	r.Manual, r.MinRequests = true, 1
	f := rolling(t, r)
	f.put("a.wasm", of(t, "one"))
	f.look()
	f.put("a.wasm", of(t, "two"))
	f.look()
	f.restart()
	if st, _ := f.Of("a"); st.State != Trying || st.Digest != module.Digest(of(t, "one")) {
		t.Fatalf("%+v", st)
	}
	for range 30 {
		f.answer("a.io", "v1")
	}
	f.look()
	if a := mustDo(t, "aborted")(f.Abort(f.context(), "a")); a.Digest != module.Digest(of(t, "one")) || a.Candidate != "" {
		t.Errorf("%+v", a)
	}
	f.look()
	if _, err := f.Promote(f.context(), "a"); err == nil {
		t.Error("promoted without a rollout")
	}
	if a := mustDo(t, "trying")(f.Load(f.context(), "a", of(t, "two"))); a.Candidate != module.Digest(of(t, "two")) {
		t.Errorf("%+v", a)
	}
	mustDo(t, "promoted")(f.Promote(f.context(), "a"))
	f.want("a.io/v1", "two")
}

// TestRuleChangesDuringARollout follows the configuration, but for the worse.
func TestRuleChangesDuringARollout(t *testing.T) {
	r := share()
	r.Manual = true
	f := rolling(t, r)
	f.put("a.wasm", of(t, "one"))
	f.look()
	f.put("a.wasm", of(t, "two"))
	f.look()
	all, nobody := *r, *r
	all.Weight, nobody.Weight = 100, 0
	for _, now := range []*Rollout{&all, &nobody, nil} {
		f.opts.Rollout = func(string) *Rollout { return now }
		f.look()
		for range 5 {
			f.want("a.io/v1", "two")
		}
		if st, _ := f.Of("a"); st.State != Trying || st.Rollout.Weight != 100 {
			t.Fatalf("%+v", st)
		}
	}
}

// TestFileGoesBackDuringARollout ends it.
func TestFileGoesBackDuringARollout(t *testing.T) {
	f := rolling(t, share())
	for _, text := range []string{"one", "two", "one"} {
		f.put("a.wasm", of(t, text))
		f.look()
	}
	if st, _ := f.Of("a"); st.State != Serving || st.Error != "" || st.Digest != module.Digest(of(t, "one")) {
		t.Errorf("%+v", st)
	}
	f.put("a.wasm", saying(t, "two", serving("a", "a.io/v2")))
	f.look()
	if err := f.failing("a.wasm"); !strings.Contains(err, "does not serve a.io/v1") {
		t.Errorf("got %q", err)
	}
	f.want("a.io/v1", "one", "a.io/v2", "")
}

// trying is a trial by a rule, of nothing.
func trying(r Rollout) *trial {
	t := new(trial)
	t.rollout.Store(&r)
	return t
}

func TestPicking(t *testing.T) {
	request := func(user, header string) *exchange.Exchange {
		ctx := new(fasthttp.RequestCtx)
		if header != "" {
			ctx.Request.Header.Set("X-Try", header)
		}
		return &exchange.Exchange{HTTP: ctx, User: &exchange.User{Name: user}}
	}
	count := func(tr *trial, x func(n int) *exchange.Exchange) (n int) {
		for i := range 1000 {
			if tr.picks(x(i)) {
				n++
			}
		}
		return n
	}
	anyone := func(int) *exchange.Exchange { return request("ann", "") }
	for weight, want := range map[int]int{0: 0, 1: 10, 10: 100, 33: 330, 50: 500, 99: 990, 100: 1000} {
		if n := count(trying(Rollout{Weight: weight}), anyone); n != want {
			t.Errorf("weight %d: %d of 1000", weight, n)
		}
	}
	tried := trying(Rollout{Header: "x-try", HeaderValue: "yes"})
	if !tried.picks(request("ann", "yes")) || tried.picks(request("ann", "no")) || tried.picks(request("ann", "")) {
		t.Error("the header does not decide")
	}
	sticky := trying(Rollout{Weight: 30, Sticky: true})
	if n := count(sticky, anyone); n != 0 && n != 1000 {
		t.Errorf("one user: %d of 1000", n)
	}
	if n := count(sticky, func(n int) *exchange.Exchange { return request(fmt.Sprint("user", n), "") }); n < 250 || n > 350 {
		t.Errorf("1000 users: %d", n)
	}
	all := trying(Rollout{Weight: 30, Header: "x-try", HeaderValue: "yes"})
	one, two := request("ann", "no"), request("ann", "yes")
	if n := testing.AllocsPerRun(100, func() { all.picks(one); all.picks(two); sticky.picks(one); all.next.add(200, time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRule(t *testing.T) {
	took := func(requests, errors int, latency time.Duration) sample {
		var c counters
		for n := range requests {
			code := 200
			if n < errors {
				code = 502
			}
			c.add(code, latency)
		}
		return c.sample()
	}
	fast := 5 * time.Millisecond
	outlier := func(s sample) sample { // as many as are beyond p99
		s.latency[bucket(fast)] -= 6
		s.latency[bucket(9*fast)] += 6
		return s
	}
	r := Rollout{Weight: 10, MinRequests: 100, PromoteAfter: time.Minute, MaxErrorRate: 0.02, MaxLatencyRatio: 2}
	for name, c := range map[string]struct {
		main, next sample
		tried      time.Duration
		want       verdict
	}{
		"nothing yet":             {sample{}, sample{}, time.Hour, wait},
		"few requests":            {took(1000, 0, fast), took(99, 0, fast), time.Hour, wait},
		"not long enough":         {took(1000, 0, fast), took(500, 0, fast), time.Second, wait},
		"good":                    {took(1000, 0, fast), took(100, 0, fast), time.Minute, promote},
		"errors as allowed":       {took(1000, 0, fast), took(100, 2, fast), time.Minute, promote},
		"one error more":          {took(1000, 0, fast), took(100, 3, fast), time.Minute, takeBack},
		"hopeless early":          {took(10, 0, fast), took(3, 3, fast), time.Second, takeBack},
		"both fail alike":         {took(1000, 500, fast), took(100, 50, fast), time.Minute, promote},
		"slower than allowed":     {took(1000, 0, fast), took(100, 0, 3*fast), time.Second, takeBack},
		"slower as allowed":       {took(1000, 0, fast), took(100, 0, fast*3/2), time.Minute, promote},
		"one slow answer of few":  {took(1000, 0, fast), outlier(took(499, 0, fast)), time.Minute, promote},
		"slow answers of many":    {took(1000, 0, fast), outlier(took(500, 0, fast)), time.Minute, takeBack},
		"noise":                   {took(1000, 0, 50*time.Microsecond), took(100, 0, 900*time.Microsecond), time.Minute, promote},
		"nothing to compare with": {took(10, 0, fast), took(100, 0, 9*fast), time.Minute, promote},
	} {
		if v, why := r.judge(c.main, c.next, c.tried); v != c.want || why == "" && v != wait {
			t.Errorf("%s: %v %q, want %v", name, v, why, c.want)
		}
	}
	r.Manual = true
	if v, _ := r.judge(took(1000, 0, fast), took(100, 0, fast), time.Hour); v != wait {
		t.Error("promoted without an operator")
	}
}

func TestHistogram(t *testing.T) {
	for _, d := range []time.Duration{0, 1, time.Microsecond, 7 * time.Microsecond, 8 * time.Microsecond, 999 * time.Microsecond, time.Second, time.Hour, 1<<63 - 1} {
		b := bucket(d)
		if b >= buckets || d < 1<<62 && (upper(b) <= d || upper(b) > d+d/8+time.Microsecond) {
			t.Errorf("%s is in bucket %d below %s", d, b, upper(b))
		}
	}
	var c counters
	for n := range 1000 {
		c.add(200, time.Duration(n)*time.Millisecond)
	}
	s := c.sample()
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.9: 900 * time.Millisecond, 0.99: 990 * time.Millisecond} {
		if got := s.latency.quantile(q); got < want || got > want*9/8+time.Millisecond {
			t.Errorf("quantile %g is %s, want %s", q, got, want)
		}
	}
	if new(histogram).quantile(0.9) != 0 {
		t.Error("a quantile of nothing")
	}
}

func TestRolloutsThatMakeNoSense(t *testing.T) {
	for name, change := range map[string]func(*Rollout){
		"weight": func(r *Rollout) { r.Weight = 101 }, "nobody": func(r *Rollout) { r.Weight = 0 },
		"requests": func(r *Rollout) { r.MinRequests = 0 }, "errors": func(r *Rollout) { r.MaxErrorRate = 2 },
		"latency": func(r *Rollout) { r.MaxLatencyRatio = -1 },
	} {
		r := share()
		if change(r); r.validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := share().validate(); err != nil {
		t.Error(err)
	}
}

// TestBreakerEndsARollout has the breaker of a candidate open, then that of the version that serves.
func TestBreakerEndsARollout(t *testing.T) {
	f := rolling(t, share())
	for _, text := range []string{"one", "two"} {
		f.put("a.wasm", of(t, text))
		f.look()
	}
	f.rollBack(t.Context(), broken{f.slots["a.wasm"].trial.gen, "traps"})
	f.want("a.io/v1", "one")
	if st, _ := f.Of("a"); st.State != Degraded || len(st.Refused) != 1 || st.Refused[0].Digest != module.Digest(of(t, "two")) {
		t.Errorf("%+v", st)
	}
	f.put("a.wasm", of(t, "three"))
	f.look()
	mustDo(t, "promoted")(f.Promote(f.context(), "a"))
	f.put("a.wasm", of(t, "four"))
	f.look()
	f.rollBack(t.Context(), broken{f.serving("a.io", "v1"), "traps"}) // of three, while four is tried
	f.want("a.io/v1", "one")
	if n := f.Rollbacks()["breaker"]; n != 2 {
		t.Errorf("%d were counted", n)
	}
	f.look()
	if st, _ := f.Of("a"); st.State != Trying || st.Rollout.Digest != module.Digest(of(t, "four")) {
		t.Errorf("the last version is not tried any more: %+v", st)
	}
}
