package module

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
)

// TestTotalsLast swaps a module that answers and traps: what counts never goes back, and the log goes on.
func TestTotalsLast(t *testing.T) {
	e := engine(t, Services{Prometheus: answering{}})
	wasm := build(t, "testdata/mischief")
	var last Counters
	for n := range int64(3) {
		g := load(t, e, wasm, granted())
		ask(t, "/kapis/test.postern.io/v1/fan/3", g.Serve)
		ask(t, "/kapis/test.postern.io/v1/panic", g.Serve)
		check := func(when string) {
			t.Helper()
			c := e.Totals("mischief").Counters()
			if c.Requests != 2*n+2 || c.Traps != n+1 || c.HostCalls != 3*n+3 || c.Latency.Count() != 2*n+2 || c.HostCallsByService()["prometheus"] != c.HostCalls {
				t.Errorf("%s of %d: %+v", when, n, c)
			}
			if c.ResponseBytes != 9*n+9 || c.BackendBytesReceived != 9*n+9 || c.BackendBytesSent <= last.BackendBytesSent && when == "before the end" {
				t.Errorf("%s of %d: bytes %+v", when, n, c)
			}
			last = c
		}
		check("before the end")
		g.Retire()
		<-g.Closed()
		check("after the end")
	}
	if last.Instances != 0 || last.MemoryBytes != 0 || last.MemoryPeakBytes == 0 || last.GuestNanoseconds == 0 {
		t.Errorf("what is left: %+v", last)
	}
	traps := 0
	for _, l := range e.Totals("mischief").Log.Last(keptLines) {
		if strings.Contains(l.Message, "is thrown away") && l.Digest == Digest(wasm) && l.RequestID == "test" {
			traps++
		}
	}
	if traps != 3 || len(e.AllTotals()) != 0 || e.Totals("other") != nil {
		t.Errorf("%d traps in the log, %d modules with generations", traps, len(e.AllTotals()))
	}
}

// TestTotalsAreBounded loads more names than are kept.
func TestTotalsAreBounded(t *testing.T) {
	e := new(Engine)
	for n := range maxTotals + 10 {
		g := &Generation{engine: e, image: &image{about: &manifest.Manifest{Name: fmt.Sprint("m", n)}}}
		e.join(g)
		g.totals.leave(g)
	}
	if n := len(e.totals); n > maxTotals {
		t.Errorf("%d totals", n)
	}
}

// TestDescribe reads what the admin API shows.
func TestDescribe(t *testing.T) {
	g := load(t, engine(t, Services{Prometheus: answering{}}), build(t, "testdata/mischief"), granted())
	ask(t, "/kapis/test.postern.io/v1/fan/2", g.Serve)
	text, err := json.Marshal(g.Describe())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"name":"mischief"`, `"asynchronous":true`, `"breaker":{"state":"closed"}`, `"requests":1`, `"prometheus":2`,
		`{"name":"cpuPerCall","unit":"seconds","limit":0.3,"reached":0}`, `{"name":"requestsInFlight","unit":"","limit":1000,"used":0,"reached":0}`, `"p99":0.`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("no %s in %s", want, text)
		}
	}
	if d := g.Describe(); d.CompileSeconds <= 0 || d.LoadSeconds < d.CompileSeconds {
		t.Errorf("compiled in %v, loaded in %v", d.CompileSeconds, d.LoadSeconds)
	}
}

// TestQuantiles holds the histogram against the durations themselves.
func TestQuantiles(t *testing.T) {
	var h histogram
	random, all := rand.New(rand.NewPCG(1, 2)), []float64(nil)
	for range 10_000 {
		d := time.Duration(math.Exp(random.NormFloat64()*2) * float64(5*time.Millisecond))
		all = append(all, d.Seconds())
		h.observe(d)
	}
	slices.Sort(all)
	l := h.load()
	for _, q := range []float64{0.1, 0.5, 0.9, 0.99} {
		if got, want := l.Quantile(q), all[int(q*float64(len(all)))-1]; got < want/1.3 || got > want*1.3 {
			t.Errorf("the %v quantile is %v, want about %v", q, got, want)
		}
	}
	buckets, below := l.Buckets(), uint64(0)
	for _, d := range all {
		if d <= 0.005 {
			below++
		}
	}
	if l.Count() != 10_000 || buckets[0.005] != below || buckets[60] > 10_000 {
		t.Errorf("%d in all, %d to 5 ms, want %d", l.Count(), buckets[0.005], below)
	}
	if empty := new(Latency); empty.Quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
	h.observe(time.Hour)
	if l = h.load(); l.Quantile(1) != 60 {
		t.Errorf("the slowest is %v", l.Quantile(1))
	}
	if n := testing.AllocsPerRun(100, func() { h.observe(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestLogLines keeps the last lines within their bounds, and never waits for a follower.
func TestLogLines(t *testing.T) {
	var l LogLines
	f, err := l.Follow()
	if err != nil {
		t.Fatal(err)
	}
	for n := range 1000 {
		l.add(LogLine{Time: time.Now(), Message: fmt.Sprint(n)})
	}
	last := l.Last(keptLines + 1)
	if len(last) != keptLines || last[0].Message != "800" || last[keptLines-1].Message != "999" || len(l.Last(3)) != 3 {
		t.Errorf("%d lines, from %s", len(last), last[0].Message)
	}
	if len(f.Lines) != followed || f.Dropped() != 1000-followed || (<-f.Lines).Message != "0" {
		t.Errorf("%d lines wait, %d dropped", len(f.Lines), f.Dropped())
	}
	for n := range 100 {
		l.add(LogLine{Time: time.Now(), Message: fmt.Sprint(n) + strings.Repeat("x", maxLine-2)})
	}
	last = l.Last(keptLines)
	if n := len(last); n != keptBytes/maxLine || !strings.HasPrefix(last[n-1].Message, "99x") {
		t.Errorf("%d long lines", n)
	}
	f.Close()
	f.Close()
	for range maxFollowers {
		if f, err = l.Follow(); err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	if _, err := l.Follow(); err == nil {
		t.Error("any number of followers")
	}
}

// opElse is the other half of an if.
const opElse = 0x05

// TestLogOfASynchronousGuest has a trap's line name the request.
func TestLogOfASynchronousGuest(t *testing.T) {
	e := engine(t, Services{})
	g := load(t, e, assembly{code: []byte{opUnreachable}}.bytes(t), Policy{Limits: DefaultLimits(), Grants: service.Grants{}})
	ask(t, "/kapis/test.postern.io/v1/x", g.Serve)
	lines := e.Totals("assembled").Log.Last(1)
	if len(lines) != 1 || lines[0].RequestID != "test" || lines[0].Level != "error" || lines[0].Digest != g.Digest() {
		t.Errorf("%+v", lines)
	}
}

// TestWornWorkers has a synchronous guest that never gives memory back.
func TestWornWorkers(t *testing.T) {
	p := plain("")
	p.Limits.Memory = 100 * pageSize
	const opMemoryGrow = 0x40
	g := load(t, engine(t, Services{}), assembly{code: instructions(i32(10), []byte{opMemoryGrow, 0}, i32(-1), []byte{
		opI32Ne, opIf, noBlockType, opElse, opUnreachable, opEnd,
	})}.bytes(t), p)
	for n := range 40 {
		if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 {
			t.Fatalf("request %d got %d %s", n, code, body)
		}
	}
	if c := g.Stats.Load(); c.InstancesRecycled != 5 || c.Traps != 0 || c.LimitsReached()["memory"] != 0 {
		t.Errorf("%d recycled, %d traps", c.InstancesRecycled, c.Traps)
	}
}

// TestWornInstances has a guest leave goroutines behind that wait for ever: its instance is replaced before its memory is full, and
// no request fails.
func TestWornInstances(t *testing.T) {
	g := load(t, engine(t, Services{}), build(t, "testdata/mischief"), granted())
	for n := range 200 { // 200 × 512 KiB: three times its memory
		if code, body := ask(t, "/kapis/test.postern.io/v1/leave/512", g.Serve); code != 200 || body != "left" {
			t.Fatalf("request %d got %d %s", n, code, body)
		}
	}
	if c := g.Stats.Load(); c.InstancesRecycled < 2 || c.Traps != 0 || c.LimitsReached()["memory"] != 0 || c.MemoryPeakBytes > granted().Limits.Memory {
		t.Errorf("%+v, limits %v", c, c.LimitsReached())
	}
	eventually(t, "the worn ones are gone", func() bool { return g.Stats.Instances.Load() <= 1 })
}
