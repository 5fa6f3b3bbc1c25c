package manager

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/codecache"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
)

// TestMarkOfARemovedFile loads a module whose file somebody has removed while it was disabled.
func TestMarkOfARemovedFile(t *testing.T) {
	f := newFolder(t, plain)
	ctx := f.context()
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "one")))
	mustDo(t, "disabled")(f.Disable(ctx, "a"))
	if err := os.Remove(filepath.Join(f.dir, "a.wasm")); err != nil {
		t.Fatal(err)
	}
	f.restart()
	mustDo(t, "loaded")(f.Load(f.context(), "a", of(t, "two")))
	f.want("a.io/v1", "two")
}

// TestDamagedHistory has the bytes of two of three versions damaged: by a bit of the same length, and by removal.
func TestDamagedHistory(t *testing.T) {
	f := newFolder(t, plain)
	ctx := f.context()
	kept := func(text string) string {
		return filepath.Join(f.dir, ".postern", "a.wasm", module.Digest(of(t, text))+".wasm")
	}
	for _, text := range []string{"one", "two", "one"} { // the second time it is there already
		mustDo(t, "loaded")(f.Load(ctx, "a", of(t, text)))
		damaged := of(t, "one")
		damaged[len(damaged)-1] ^= 1
		if err := os.WriteFile(kept("one"), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "two")))
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "one"))) // puts it right
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "three")))
	mustDo(t, "rolled back")(f.Rollback(ctx, "a", ""))
	f.want("a.io/v1", "one")
	mustDo(t, "loaded")(f.Load(ctx, "a", guests.Trapping(t, serving("a", "a.io/v1"))))
	if err := errors.Join(os.Remove(kept("one")), os.Remove(kept("three"))); err != nil {
		t.Fatal(err)
	}
	f.rollBack(ctx, broken{f.slots["a.wasm"].gen, "it traps"})
	f.want("a.io/v1", "two") // the newest that is whole
}

// TestKilledWhileWriting finds the files that a gateway left that was killed, and those of one that is at work.
func TestKilledWhileWriting(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{
		".postern-1.tmp": 2 * leftover, ".postern-2.tmp": 0, "x.tmp": 2 * leftover, ".postern-3.wasm": 2 * leftover,
	} {
		path, then := filepath.Join(dir, name), time.Now().Add(-age)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, then, then)); err != nil {
			t.Fatal(err)
		}
	}
	if n := tidy(dir, filepath.Join(dir, "none")); n != 1 {
		t.Errorf("%d files removed, want 1", n)
	}
	if _, err := os.Stat(filepath.Join(dir, ".postern-1.tmp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the old one is there: %v", err)
	}
}

// TestDamagedWhileAsleep has the cache damaged that a module is woken from: its file is read again, or what is kept of it when
// the file is another by now that does not load.
func TestDamagedWhileAsleep(t *testing.T) {
	cache := t.TempDir()
	e, err := module.NewEngine(context.Background(), module.Options{Log: zerolog.Nop(), CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	f := &folder{t: t, dir: t.TempDir()}
	f.Manager = New(e, Options{Dir: f.dir, Interval: time.Hour, Policy: plain, Log: zerolog.Nop()})
	t.Cleanup(func() { f.close() })
	f.put("a.wasm", of(t, "one"))
	f.look()
	for range 2 {
		gen := f.serving("a.io", "v1")
		if !gen.Sleep() {
			t.Fatal("it does not sleep")
		}
		names, _ := filepath.Glob(filepath.Join(cache, "source", "*"))
		for _, name := range names {
			if err := os.Truncate(name, 10); err != nil {
				t.Fatal(err)
			}
		}
		if f.answer("a.io", "v1"); len(names) != 1 || !gen.Lost() {
			t.Fatalf("%q: it is %s", names, gen.State())
		}
		f.look()
		f.want("a.io/v1", "one")
		f.put("a.wasm", []byte("rubbish"))
		f.look()
	}
}

// TestTooLargeIsNotRead has a file refused by its size: at each look it would cost as much memory again.
func TestTooLargeIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.wasm")
	if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<40)); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(10, func() { _, _ = read(path) }); n > 20 {
		t.Errorf("%v allocations", n)
	}
	if _, err := read(path); err == nil || !strings.Contains(err.Error(), "more than 67108864 bytes") {
		t.Errorf("got %v", err)
	}
}

// TestDamagedState has what is known of the versions lost, and their bytes kept.
func TestDamagedState(t *testing.T) {
	f := newFolder(t, plain)
	mustDo(t, "loaded")(f.Load(f.context(), "a", of(t, "one")))
	mustDo(t, "loaded")(f.Load(f.context(), "a", of(t, "two")))
	if err := os.WriteFile(filepath.Join(f.dir, ".postern", "a.wasm", "state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.restart()
	f.want("a.io/v1", "two")
	mustDo(t, "rolled back")(f.Rollback(f.context(), "a", ""))
	f.want("a.io/v1", "one")
}

// TestCompilerFailsForAWhile has a module wait until there is memory, disk or what else its compilation lacks.
func TestCompilerFailsForAWhile(t *testing.T) {
	tries := 0
	compile := func(ctx context.Context, dir string, wasm []byte) error {
		if tries++; tries < 4 {
			return errors.New("out of memory")
		}
		return codecache.InProcess(ctx, dir, wasm)
	}
	e, err := module.NewEngine(context.Background(), module.Options{Log: zerolog.Nop(), CacheDir: t.TempDir(), Compile: compile})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	f := &folder{t: t, dir: t.TempDir()}
	f.Manager = New(e, Options{Dir: f.dir, Interval: time.Hour, Policy: plain, Log: zerolog.Nop()})
	t.Cleanup(func() { f.close() })
	f.put("a.wasm", of(t, "one"))
	for pause := f.opts.Interval; tries < 3; pause = min(2*pause, maxRetry) {
		before := tries
		f.look()
		f.look() // too early
		s := f.slots["a.wasm"]
		if tries != before+1 || s.pause != min(pause, maxRetry) || !strings.Contains(f.failing("a.wasm"), "out of memory") {
			t.Fatalf("%d tries after %d, pause %s, %s", tries, before, s.pause, f.failing("a.wasm"))
		}
		s.after = time.Time{} // time passes
	}
	f.look()
	f.want("a.io/v1", "one")
}
