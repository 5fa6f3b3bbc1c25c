package module

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/service"
)

// sendBody asks with a body.
func sendBody(uri, body string, serve exchange.Handler) int {
	ctx := new(fasthttp.RequestCtx)
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI(uri)
	ctx.Request.SetBodyString(body)
	exchange.Run(ctx, nil, time.Now(), func(x *exchange.Exchange) {
		x.ID, x.User = "test", new(exchange.User)
		x.Info.Path, x.Info.APIPrefix, x.Info.APIGroup, x.Info.APIVersion = string(ctx.Path()), "kapis", "test.postern.io", "v1"
		serve(x)
	})
	return ctx.Response.StatusCode()
}

// gated is a service that answers once its gate is open; nil is an open one.
type gated struct {
	answering
	gate *atomic.Pointer[chan struct{}]
}

func (s gated) Do(ctx context.Context, call *service.Call) service.Result {
	if gate := s.gate.Load(); gate != nil {
		select {
		case <-*gate:
		case <-ctx.Done():
		}
	}
	return s.answering.Do(ctx, call)
}

// TestEachLimit has a guest in Go run into each limit, and stay below it: the answer says so, and the limit is counted.
func TestEachLimit(t *testing.T) {
	const root = "/kapis/test.postern.io/v1/"
	get := func(path string) func(*testing.T, *Generation) int {
		return func(t *testing.T, g *Generation) int { code, _ := ask(t, root+path, g.Serve); return code }
	}
	// beside asks while another request has the only slot.
	beside := func(t *testing.T, g *Generation) int {
		var other sync.WaitGroup
		other.Go(func() { ask(t, root+"stuck", g.Serve) })
		defer other.Wait()
		eventually(t, "the slot is taken", func() bool { return g.InFlight() == 1 })
		code, _ := ask(t, root+"ok", g.Serve)
		return code
	}
	// after asks while another request has the only slot, which it leaves when this one waits.
	var gate atomic.Pointer[chan struct{}]
	after := func(t *testing.T, g *Generation) (code int) {
		shut := make(chan struct{})
		gate.Store(&shut)
		defer gate.Store(nil)
		var both sync.WaitGroup
		both.Go(func() { ask(t, root+"fan/1", g.Serve) })
		eventually(t, "the slot is taken", func() bool { return g.InFlight() == 1 })
		both.Go(func() { code, _ = ask(t, root+"ok", g.Serve) })
		eventually(t, "the next one waits", func() bool { return g.queued.Load() == 1 })
		gate.Store(nil)
		close(shut)
		both.Wait()
		return code
	}
	wasm, e := build(t, "testdata/mischief"), engine(t, Services{Prometheus: gated{gate: &gate}, HTTP: answering{}})
	tested := map[Limit]bool{}
	for name, c := range map[string]struct {
		limit  Limit
		change func(*Limits)
		ask    func(*testing.T, *Generation) int
		code   int
		same   int64 // how often it is reached; 0: at least once
		below  func(*testing.T, *Generation) int
	}{
		"memory":    {LimitMemory, func(*Limits) {}, get("eat"), 502, 0, get("big/1000")},
		"deadline":  {LimitDeadline, func(l *Limits) { l.Deadline = 100 * time.Millisecond }, get("stuck"), 504, 1, get("ok")},
		"cpu":       {LimitCPUPerCall, func(l *Limits) { l.CPUPerCall = 200 * time.Millisecond }, get("loop"), 502, 1, get("ok")},
		"in flight": {LimitRequestsInFlight, func(l *Limits) { l.RequestsInFlight = 1 }, after, 200, 1, get("ok")},
		"queue":     {LimitQueue, func(l *Limits) { l.RequestsInFlight, l.Queue, l.Deadline = 1, 0, 300*time.Millisecond }, beside, 503, 1, get("ok")},
		"queue wait": {LimitQueueWait, func(l *Limits) {
			l.RequestsInFlight, l.QueueWait, l.Deadline = 1, time.Millisecond, 300*time.Millisecond
		}, beside, 503, 1, get("ok")},
		"host calls":             {LimitHostCalls, func(l *Limits) { l.HostCalls = 0 }, get("calls/1"), 503, 0, get("ok")},
		"host calls per request": {LimitHostCallsPerRequest, func(l *Limits) { l.HostCallsPerRequest = 10 }, get("calls/11"), 413, 1, get("calls/10")},
		"handles":                {LimitHandleBytes, func(l *Limits) { l.HandleBytes = 30 }, get("splice"), 413, 1, get("calls/1")},
		"answers of backends":    {LimitHandleBytes, func(l *Limits) { l.HandleBytes = 30 }, get("fan/11"), 413, 0, get("fan/10")},
		"request": {
			LimitRequestBytes, func(l *Limits) { l.RequestBytes = 1000 },
			func(_ *testing.T, g *Generation) int {
				return sendBody(root+"body", strings.Repeat("x", 1001), g.Serve)
			}, 413, 1,
			func(_ *testing.T, g *Generation) int {
				return sendBody(root+"body", strings.Repeat("x", 1000), g.Serve)
			},
		},
		"response": {LimitResponseBytes, func(l *Limits) { l.ResponseBytes = 99_999 }, get("big/100000"), 413, 1, get("big/99999")},
		"sent":     {LimitSendBytes, func(l *Limits) { l.SendBytes = 100_000 }, get("send/100000"), 413, 1, get("send/90000")},
		"log rate": {LimitLogLinesPerSecond, func(l *Limits) { l.LogLinesPerSecond = 10 }, get("log/50"), 200, 0, get("ok")},
	} {
		tested[c.limit] = true
		t.Run(name, func(t *testing.T) {
			p := granted()
			p.Limits.CPUPerCall = 5 * time.Second // the machine may be busy
			c.change(&p.Limits)
			g := load(t, e, wasm, p)
			if code := c.below(t, g); code != 200 || g.Stats.Reached(c.limit) != 0 {
				t.Errorf("below it: %d, reached %d times", code, g.Stats.Reached(c.limit))
			}
			if code := c.ask(t, g); code != c.code {
				t.Errorf("got %d, want %d", code, c.code)
			}
			if n := g.Stats.Reached(c.limit); n == 0 || c.same > 0 && n != c.same {
				t.Errorf("reached %d times, want %d", n, c.same)
			}
			if code, _ := ask(t, root+"ok", g.Serve); code != 200 {
				t.Errorf("the next request got %d", code)
			}
		})
	}
	for n := range limitCount {
		if !tested[n] {
			t.Errorf("%v is not tested", n)
		}
	}
}

// TestSettle has manifests and configurations disagree.
func TestSettle(t *testing.T) {
	p := Policy{Limits: DefaultLimits(), Fixed: []string{"queue", "hostCalls"}, Ceiling: Limits{Memory: 256 << 20, Deadline: time.Second}}
	wishes := manifest.Limits{
		Memory: 512 << 20, Deadline: manifest.Duration(time.Minute), CPUPerCall: manifest.Duration(time.Millisecond),
		Queue: 1, HostCalls: 1 << 20, SendBytes: 1,
	}
	want := DefaultLimits()
	want.Memory, want.CPUPerCall, want.SendBytes = 256<<20, time.Millisecond, 1
	got, short := p.settle(&wishes)
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if wanted := []string{"memory 268435456, not 536870912", "deadline 30000000000, not 60000000000", "hostCalls 4096, not 1048576"}; !slices.Equal(short, wanted) {
		t.Errorf("short of %q, want %q", short, wanted)
	}
}

// TestManifestLowersItsLimit has a real guest's own limit hold, and the log tell what it did not get.
func TestManifestLowersItsLimit(t *testing.T) {
	about := "name: modest\nversion: \"1\"\nserves: [{group: test.postern.io, versions: [v1]}]\nlimits: {responseBytes: 3B, queue: 5000}\n"
	e := engine(t, Services{})
	g := load(t, e, saying(t, "hello", about), plain(""))
	if _, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); body != "" || g.Stats.Reached(LimitResponseBytes) != 1 {
		t.Errorf("got %q, reached %d times", body, g.Stats.Reached(LimitResponseBytes))
	}
	lines := e.Totals("modest").Log.Last(10)
	if len(lines) != 1 || lines[0].Level != "warn" || !strings.Contains(lines[0].Message, "queue 1000, not 5000") {
		t.Errorf("%+v", lines)
	}
}
