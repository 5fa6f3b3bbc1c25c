package module

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
)

// answering is a service that answers each question with its expression, after a while.
type answering struct{ delay time.Duration }

func (s answering) Do(ctx context.Context, call *service.Call) service.Result {
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
	}
	return service.Result{Body: fmt.Appendf(nil, "%s;", call.Record.Get(30))}
}

// granted is a policy that grants what the test guests want, with limits that a test runs into quickly.
func granted() Policy {
	p := Policy{Limits: DefaultLimits(), Grants: service.Grants{Prometheus: true, HTTP: []string{"echo"}}}
	p.Limits.Memory = 32 << 20
	p.Limits.Deadline = 5 * time.Second
	p.Limits.CPUPerCall = 300 * time.Millisecond
	return p
}

func mischief(t *testing.T, change func(*Policy)) *Generation {
	t.Helper()
	policy := granted()
	if change != nil {
		change(&policy)
	}
	e := engine(t, Services{Prometheus: answering{time.Millisecond}})
	return load(t, e, build(t, "testdata/mischief"), policy)
}

// TestOnlyItsOwnRequestsFail has a module fail in every way there is: its request gets a Status, and the next is served.
func TestOnlyItsOwnRequestsFail(t *testing.T) {
	g := mischief(t, func(p *Policy) { p.Limits.Deadline = 2 * time.Second })
	for _, c := range []struct {
		path string
		code int
		says string
	}{
		{"panic", 502, "failed"},
		{"loop", 502, "CPU"},
		{"eat", 502, "failed"},
		{"exit", 502, "exit_code(3)"},
		{"stuck", 504, "in time"},
	} {
		t.Run(c.path, func(t *testing.T) {
			code, body := ask(t, "/kapis/test.postern.io/v1/"+c.path, g.Serve)
			if code != c.code || !strings.Contains(body, c.says) || !strings.Contains(body, `"kind":"Status"`) {
				t.Errorf("got %d %s, want %d and %q", code, body, c.code, c.says)
			}
			if code, body := ask(t, "/kapis/test.postern.io/v1/ok", g.Serve); code != 200 || body != "ok" {
				t.Errorf("the next request got %d %s", code, body)
			}
		})
	}
	if n := g.Stats.Traps.Load(); n != 4 {
		t.Errorf("%d instances were thrown away, want 4", n)
	}
}

// TestWellBehaved has the same module do what it may.
func TestWellBehaved(t *testing.T) {
	g := mischief(t, func(p *Policy) { p.Settings = []byte(`{"a":1}`) })
	for path, want := range map[string]string{
		"nap":      "woke",
		"sleep":    "slept",
		"rubbish":  "refused all",
		"fan/3":    "q0;q1;q2;",
		"splice":   `b {"items":[{"n":"b"},{"n":"a"}]}`,
		"settings": `{"a":1}`,
		"whoami":   "alice dev,system:authenticated ",
	} {
		if code, body := ask(t, "/kapis/test.postern.io/v1/"+path, g.Serve); code != 200 || body != want {
			t.Errorf("%s: got %d %q, want %q", path, code, body, want)
		}
	}
}

// TestFanOutRunsSideBySide has one instance serve many requests, each of which waits for many answers.
func TestFanOutRunsSideBySide(t *testing.T) {
	e := engine(t, Services{Prometheus: answering{50 * time.Millisecond}})
	g := load(t, e, build(t, "testdata/mischief"), granted())
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if code, body := ask(t, "/kapis/test.postern.io/v1/fan/20", g.Serve); code != 200 || strings.Count(body, ";") != 20 {
				t.Errorf("got %d %q", code, body)
			}
		})
	}
	all.Wait()
	if n := g.Stats.Instances.Load(); n != 1 {
		t.Errorf("%d instances served the requests, want 1", n)
	}
}

// TestLimits is about limits beyond TestEachLimit.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name, path string
		change     func(*Limits)
		code       int
	}{
		{"host calls, one after the other", "fan/20", func(l *Limits) { l.HostCalls = 3 }, 200},
		{"no capacity", "ok", func(l *Limits) { l.RequestsInFlight, l.Queue = 0, 0 }, 503},
		{"queue wait", "ok", func(l *Limits) { l.RequestsInFlight, l.QueueWait = 0, time.Millisecond }, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := mischief(t, func(p *Policy) { c.change(&p.Limits) })
			if code, body := ask(t, "/kapis/test.postern.io/v1/"+c.path, g.Serve); code != c.code {
				t.Errorf("got %d %.300s, want %d", code, body, c.code)
			}
		})
	}
	t.Run("log rate", func(t *testing.T) {
		g := mischief(t, func(p *Policy) { p.Limits.LogLinesPerSecond = 10 })
		ask(t, "/kapis/test.postern.io/v1/log/50", g.Serve)
		if logged, dropped := g.Stats.Logged.Load(), g.Stats.Dropped.Load(); dropped < 30 || logged+dropped != 50 {
			t.Errorf("%d lines logged, %d dropped", logged, dropped)
		}
	})
	t.Run("memory to start", func(t *testing.T) {
		e := engine(t, Services{})
		p := granted()
		p.Limits.Memory = 1 << 20
		_, err := e.Load(context.Background(), build(t, "testdata/mischief"), func(string) Policy { return p })
		if err == nil || !strings.Contains(err.Error(), "memory") {
			t.Errorf("got %v, want a refusal for memory", err)
		}
	})
}

// TestMissingGrantsAreListed has a module refused for what the configuration does not grant, all of it named.
func TestMissingGrantsAreListed(t *testing.T) {
	e := engine(t, Services{})
	_, err := e.Load(context.Background(), build(t, "testdata/mischief"), func(string) Policy { return Policy{Limits: DefaultLimits()} })
	for _, want := range []string{"prometheus", `http backend "echo"`, "postern.http/v1.forward", "postern.prometheus/v1.call"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not name %q: %v", want, err)
		}
	}
}

// TestClientLeaves has a client go while its request waits: the guest's call is cancelled, and nothing is left over.
func TestClientLeaves(t *testing.T) {
	e := engine(t, Services{Prometheus: answering{time.Hour}})
	g := load(t, e, build(t, "testdata/mischief"), granted())
	peer := new(exchange.Peer)
	done := make(chan int)
	go func() {
		done <- askAs(peer, "/kapis/test.postern.io/v1/fan/5", g.Serve)
	}()
	for g.Stats.HostCalls.Load() < 5 {
		time.Sleep(time.Millisecond)
	}
	peer.Hangup()
	if code := <-done; code != 499 {
		t.Errorf("got %d, want 499", code)
	}
	for deadline := time.Now().Add(5 * time.Second); g.calls.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d host calls are still under way", g.calls.Load())
		}
	}
}
