package module

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/module/codecache"
	"github.com/posternhq/postern/gateway/module/service"
)

// asleep fails the test unless g has given everything back.
func asleep(t *testing.T, g *Generation) {
	t.Helper()
	if g.State() != Asleep {
		t.Errorf("it is %s", g.State())
	}
	if i, m := g.Stats.Instances.Load(), g.Stats.Memory.Load(); i != 0 || m != 0 {
		t.Errorf("asleep with %d instances and %d bytes", i, m)
	}
	if g.image.compiled != nil {
		t.Error("asleep with its machine code")
	}
}

// TestSleepAndWake has modules of both kinds sleep and be woken by many requests at once.
func TestSleepAndWake(t *testing.T) {
	kinds := map[string][]byte{
		"asynchronous": build(t, "../../wasm-modules/hello"),
		"synchronous":  saying(t, "hello", "name: a\nversion: \"1\"\nserves: [{group: hello.postern.io, versions: [v1]}]\n"),
	}
	for kind, wasm := range kinds {
		g := load(t, engine(t, Services{}), wasm, Policy{Limits: DefaultLimits()})
		before := g.Digest()
		for range 3 {
			code, body := ask(t, "/kapis/hello.postern.io/v1/greetings?name=x", g.Serve)
			if !g.Sleep() || g.Sleep() {
				t.Fatalf("%s: it is %s", kind, g.State())
			}
			asleep(t, g)
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if c, b := ask(t, "/kapis/hello.postern.io/v1/greetings?name=x", g.Serve); c != code || b != body {
						t.Errorf("%s: got %d %q, before %d %q", kind, c, b, code, body)
					}
				})
			}
			all.Wait()
		}
		if s, w := g.Stats.Sleeps.Load(), g.Stats.Wakes.Load(); s != 3 || w != 3 {
			t.Errorf("%s: slept %d times, woke %d times", kind, s, w)
		}
		if g.State() != Awake || g.Digest() != before {
			t.Errorf("%s: %s, %s", kind, g.State(), g.Digest())
		}
		g.Sleep() // and is closed so
	}
}

// blocking is a service that answers once it is let.
type blocking struct{ until chan struct{} }

func (b blocking) Do(context.Context, *service.Call) service.Result {
	<-b.until
	return service.Result{Body: []byte("x")}
}

// TestNobodySleepsAtWork has a request and a host call keep a module awake.
func TestNobodySleepsAtWork(t *testing.T) {
	release := make(chan struct{})
	e := engine(t, Services{Prometheus: blocking{release}})
	g := load(t, e, build(t, "testdata/mischief"), granted())
	done := make(chan int, 1)
	go func() {
		code, _ := ask(t, "/kapis/test.postern.io/v1/fan/1", g.Serve)
		done <- code
	}()
	for g.Stats.HostCalls.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if g.Sleep() {
		t.Error("it sleeps at work")
	}
	close(release)
	if code := <-done; code != 200 {
		t.Errorf("got %d", code)
	}
	if !g.Sleep() {
		t.Errorf("it does not sleep after work: %s", g.State())
	}
}

// TestIdleModulesSleep has the clock put a module to sleep, again after it was woken; without a limit, or without a cache to
// be woken from, it never sleeps.
func TestIdleModulesSleep(t *testing.T) {
	limits := DefaultLimits()
	limits.IdleUnload = time.Millisecond
	g := load(t, engine(t, Services{}), assembly{}.bytes(t), Policy{Limits: limits})
	for n := range int64(2) {
		for g.Stats.Sleeps.Load() <= n {
			time.Sleep(time.Millisecond)
		}
		ask(t, "/kapis/test.postern.io/v1/x", g.Serve)
	}
	limits.IdleUnload = 0
	pinned := load(t, engine(t, Services{}), assembly{}.bytes(t), Policy{Limits: limits})
	if pinned.slumber.timer != nil {
		t.Error("a clock runs for a module that is pinned")
	}
	e, err := NewEngine(context.Background(), Options{Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	if without := load(t, e, assembly{}.bytes(t), Policy{Limits: DefaultLimits()}); without.Sleep() {
		t.Error("it sleeps and nobody could wake it")
	}
}

// TestFailedWake has a wake fail: requests get a Status, soon, and few of them try.
func TestFailedWake(t *testing.T) {
	dir := t.TempDir()
	fail := errors.New("no compiler today")
	var tries int
	compile := func(ctx context.Context, dir string, wasm []byte) error {
		tries++
		if tries > 1 && fail != nil {
			return fail
		}
		return codecache.InProcess(ctx, dir, wasm)
	}
	e, err := NewEngine(context.Background(), Options{Log: zerolog.Nop(), CacheDir: dir, Compile: compile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	g := load(t, e, assembly{}.bytes(t), Policy{Limits: DefaultLimits()})
	code, _ := ask(t, "/kapis/test.postern.io/v1/x", g.Serve)
	g.Sleep()
	files, _ := filepath.Glob(filepath.Join(dir, "index", "*"))
	for _, f := range files { // somebody has trimmed it
		if err := os.Remove(f); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 {
		if c, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); c != 503 || !strings.Contains(body, "no compiler today") {
			t.Fatalf("got %d %q", c, body)
		}
	}
	if tries > 10 {
		t.Errorf("%d tries for 50 requests", tries-1)
	}
	g.slumber.mu.Lock() // no wake is under way: the compiler's variables are the test's
	fail, g.slumber.until = nil, time.Time{}
	g.slumber.mu.Unlock()
	if c, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); c != code {
		t.Errorf("got %d %q after the compiler came back", c, body)
	}
}

// TestWakeKeepsDeadlines has a request wait for a wake no longer than its own deadline, and a generation retired meanwhile.
func TestWakeKeepsDeadlines(t *testing.T) {
	dir, started := t.TempDir(), make(chan struct{}, 10)
	var slow bool
	compile := func(ctx context.Context, dir string, wasm []byte) error {
		if !slow {
			return codecache.InProcess(ctx, dir, wasm)
		}
		started <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	e, err := NewEngine(context.Background(), Options{Log: zerolog.Nop(), CacheDir: dir, Compile: compile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	limits := DefaultLimits()
	limits.Deadline = 50 * time.Millisecond
	g := load(t, e, assembly{}.bytes(t), Policy{Limits: limits})
	g.Sleep()
	slow = true
	if err := os.RemoveAll(filepath.Join(dir, "index")); err != nil {
		t.Fatal(err)
	}
	if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 504 {
		t.Errorf("got %d %q", code, body)
	}
	<-started
	g.Retire()
	<-g.Closed() // the wake was given up
}

// TestDamagedCacheIsMadeAnew has machine code damaged between two runs.
func TestDamagedCacheIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	for n, want := range []string{CodeCompiled, CodeCached, CodeCompiled} {
		e, err := NewEngine(context.Background(), Options{Log: zerolog.Nop(), CacheDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		g, err := e.Load(context.Background(), assembly{}.bytes(t), func(string) Policy { return Policy{Limits: DefaultLimits()} })
		if err != nil {
			t.Fatal(err)
		}
		if got := g.Costs().Code; got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
		g.Retire()
		<-g.Closed()
		if err := e.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n == 1 {
			files, _ := filepath.Glob(filepath.Join(dir, "wazero-*", "*"))
			for _, f := range files {
				if err := os.WriteFile(f, []byte("damaged"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
