package manager

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
)

// context runs the manager's operations, until the test ends, on a goroutine that does nothing else; its context is for them.
func (f *folder) context() context.Context {
	if f.ctx != nil {
		return f.ctx
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.ctx = ctx
	ops := f.ops
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			select {
			case o := <-ops:
				o.run(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
	f.t.Cleanup(func() { cancel(); serving.Wait() })
	return ctx
}

// restart ends the manager and makes another one of the same folder, which has looked once.
func (f *folder) restart() {
	f.t.Helper()
	f.close()
	opts := f.opts
	f.Manager, f.ctx = New(f.engine, opts), nil
	f.look()
}

// of is a version of module a.
func of(t testing.TB, text string) []byte { return saying(t, text, serving("a", "a.io/v1")) }

func mustDo(t *testing.T, action string) func(Answer, error) Answer {
	return func(a Answer, err error) Answer {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if a.Action != action {
			t.Errorf("%+v, want %s", a, action)
		}
		return a
	}
}

func TestLoadRollbackDisableEnableDelete(t *testing.T) {
	f := newFolder(t, plain)
	ctx := f.context()
	one, two := of(t, "one"), of(t, "two")
	a := mustDo(t, "loaded")(f.Load(ctx, "", one))
	if a.Module != "a" || a.Digest != module.Digest(one) || a.Previous != "" || a.Version != "1" {
		t.Errorf("%+v", a)
	}
	f.want("a.io/v1", "one")
	mustDo(t, "unchanged")(f.Load(ctx, "a", one))
	if a = mustDo(t, "loaded")(f.Load(ctx, "a", two)); a.Previous != module.Digest(one) || a.Digest != module.Digest(two) {
		t.Errorf("%+v", a)
	}
	f.want("a.io/v1", "two")

	f.restart() // the history is kept
	ctx = f.context()
	f.want("a.io/v1", "two")
	if a = mustDo(t, "rolled back")(f.Rollback(ctx, "a", "")); a.Digest != module.Digest(one) || a.Previous != module.Digest(two) {
		t.Errorf("%+v", a)
	}
	f.want("a.io/v1", "one")
	f.restart() // and so is what was rolled back to
	ctx = f.context()
	f.want("a.io/v1", "one")
	mustDo(t, "rolled back")(f.Rollback(ctx, "a", module.Digest(two)[:8]))
	f.want("a.io/v1", "two")

	if a = mustDo(t, "disabled")(f.Disable(ctx, "a")); a.Digest != "" || a.Previous != module.Digest(two) {
		t.Errorf("%+v", a)
	}
	f.want("a.io/v1", "")
	f.restart()
	ctx = f.context()
	f.want("a.io/v1", "")
	if _, err := f.Rollback(ctx, "a", ""); !errors.Is(err, ErrConflict) {
		t.Errorf("rollback of a disabled module: %v", err)
	}
	if st, ok := f.Of("a"); !ok || st.State != Disabled {
		t.Errorf("%+v", st)
	}
	mustDo(t, "enabled")(f.Enable(ctx, "a"))
	f.want("a.io/v1", "two")
	mustDo(t, "disabled")(f.Disable(ctx, "a"))
	mustDo(t, "loaded")(f.Load(ctx, "a", one)) // enables
	f.want("a.io/v1", "one")
	mustDo(t, "deleted")(f.Delete(ctx, "a"))
	f.want("a.io/v1", "")
	if left, err := os.ReadDir(filepath.Join(f.dir, ".postern")); err != nil || len(left) != 0 {
		t.Errorf("left of the history: %v %v", left, err)
	}
	if _, err := f.Disable(ctx, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// TestLoadRefuses leaves the folder as it was, and says every reason.
func TestLoadRefuses(t *testing.T) {
	f := newFolder(t, plain)
	ctx := f.context()
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "one")))
	greedy := saying(t, "two", serving("a", "a.io/v1")+"wants: {prometheus: true, http: [echo]}\n")
	for name, c := range map[string]struct {
		as   string
		wasm []byte
		says []string
	}{
		"grants":   {"a", greedy, []string{"not granted: prometheus", `not granted: http backend "echo"`}},
		"conflict": {"b", of(t, "b"), []string{"a.io/v1 is already answered by a.wasm"}},
		"no wasm":  {"a", []byte("hello"), []string{""}},
		"name":     {"../a", of(t, "b"), []string{"name of a file"}},
	} {
		_, err := f.Load(ctx, c.as, c.wasm)
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, text := range c.says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s: %v does not say %q", name, err, text)
			}
		}
	}
	f.want("a.io/v1", "one")
	if files, err := list(f.dir); err != nil || len(files) != 1 {
		t.Errorf("%v %v", files, err)
	}
	if err := f.failing("a.wasm"); err != "" {
		t.Errorf("what was not loaded is a fault of the file: %s", err)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	f := newFolder(t, plain)
	ctx := f.context()
	for _, text := range strings.Fields("1 2 3 4 5 6 7 8 9") {
		mustDo(t, "loaded")(f.Load(ctx, "a", of(t, text)))
	}
	files, err := filepath.Glob(filepath.Join(f.dir, ".postern", "a.wasm", "*.wasm"))
	if st, _ := f.Of("a"); err != nil || len(files) != keptVersions || len(st.History) != keptVersions {
		t.Errorf("%d files, %+v", len(files), st.History)
	}
	if _, err := f.Rollback(ctx, "a", module.Digest(of(t, "4"))); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
	mustDo(t, "rolled back")(f.Rollback(ctx, "a", module.Digest(of(t, "5"))))
	f.want("a.io/v1", "5")
}

// TestKeptFileWasChanged goes nowhere when the bytes are not those that served.
func TestKeptFileWasChanged(t *testing.T) {
	f := newFolder(t, plain)
	ctx := f.context()
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "one")))
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "two")))
	kept := filepath.Join(f.dir, ".postern", "a.wasm", module.Digest(of(t, "one"))+".wasm")
	if err := os.WriteFile(kept, of(t, "evil"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Rollback(ctx, "a", ""); !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "has been changed") {
		t.Errorf("got %v", err)
	}
	f.want("a.io/v1", "two")
}

// TestFolderThatCannotBeWrittenTo is one whose place a file has taken: permissions do not stop root.
func TestFolderThatCannotBeWrittenTo(t *testing.T) {
	f := newFolder(t, plain)
	blocked := filepath.Join(f.dir, "history")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.store.dir = blocked
	f.put("a.wasm", of(t, "one"))
	f.look()
	f.put("a.wasm", of(t, "two"))
	f.look()
	f.want("a.io/v1", "two") // without a history
	if f.keepErr == nil {
		t.Error("nobody knows that there is no history")
	}
	if _, err := f.Rollback(f.context(), "a", ""); !errors.Is(err, ErrConflict) {
		t.Errorf("got %v", err)
	}
	if err := changed(os.ErrPermission); !errors.Is(err, ErrReadOnly) {
		t.Errorf("got %v", err)
	}
}

// TestBrokenVersionIsTakenBack has the breaker of a version open.
func TestBrokenVersionIsTakenBack(t *testing.T) {
	f := newFolder(t, plain)
	f.put("a.wasm", of(t, "one"))
	f.look()
	f.rollBack(t.Context(), broken{f.serving("a.io", "v1"), "traps"})
	f.want("a.io/v1", "one") // there is nothing else
	bad := guests.Trapping(t, serving("a", "a.io/v1"))
	f.put("a.wasm", bad)
	f.look()
	f.rollBack(t.Context(), broken{f.serving("a.io", "v1"), "10 traps in a row"})
	for range 2 {
		f.want("a.io/v1", "one")
		if err := f.failing("a.wasm"); !strings.Contains(err, "10 traps in a row") {
			t.Errorf("got %q", err)
		}
		f.put("a.wasm", bad) // the same again: it is not tried
		f.look()
	}
	f.restart()
	f.want("a.io/v1", "one")
	if st, _ := f.Of("a"); st.State != Degraded || len(st.Refused) != 1 || st.Refused[0].Digest != module.Digest(bad) {
		t.Errorf("%+v", st)
	}
	f.put("a.wasm", of(t, "two"))
	f.look()
	f.want("a.io/v1", "two")
	mustDo(t, "loaded")(f.Load(f.context(), "a", bad)) // by name it is
	if st, _ := f.Of("a"); st.State != Serving || st.Digest != module.Digest(bad) {
		t.Errorf("%+v", st)
	}
}

// TestRollbackIsOneStep has requests break one version after the other: no client may choose from the history.
func TestRollbackIsOneStep(t *testing.T) {
	f := newFolder(t, plain)
	ctx := f.context()
	for _, text := range []string{"one", "two", "three"} {
		mustDo(t, "loaded")(f.Load(ctx, "a", of(t, text)))
	}
	for range 3 {
		f.rollBack(ctx, broken{f.serving("a.io", "v1"), "traps"})
		f.want("a.io/v1", "two")
	}
	f.restart()
	f.rollBack(t.Context(), broken{f.serving("a.io", "v1"), "traps"})
	f.want("a.io/v1", "two")
	if st, _ := f.Of("a"); len(st.Refused) != 1 || st.Refused[0].Digest != module.Digest(of(t, "three")) {
		t.Errorf("%+v", st.Refused)
	}
}

// TestBreakerBringsTheOldVersionBack has a version trap until its breaker opens.
func TestBreakerBringsTheOldVersionBack(t *testing.T) {
	f := newFolder(t, plain)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = f.Run(ctx) })
	defer running.Wait()
	defer cancel()
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "one")))
	mustDo(t, "loaded")(f.Load(ctx, "a", guests.Trapping(t, serving("a", "a.io/v1"))))
	eventually(t, "the first version is back", func() bool { return f.answer("a.io", "v1") == "one" })
	eventually(t, "it is counted", func() bool { return f.Rollbacks()["breaker"] == 1 })
	cancel()
	running.Wait()
	if _, err := f.Disable(context.Background(), "a"); !errors.Is(err, ErrEnded) {
		t.Errorf("got %v", err)
	}
}

// TestTrapsBreak has a version trap until its breaker opens: the one before it serves, and no client has to do anything.
func TestTrapsBreak(t *testing.T) {
	f := newFolder(t, plain)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = f.Run(ctx) })
	defer running.Wait()
	defer cancel()
	mustDo(t, "loaded")(f.Load(ctx, "a", of(t, "one")))
	mustDo(t, "loaded")(f.Load(ctx, "a", guests.Trapping(t, serving("a", "a.io/v1"))))
	for range module.DefaultLimits().Breaker.Traps {
		f.answer("a.io", "v1")
	}
	eventually(t, "the first version is back", func() bool { return f.answer("a.io", "v1") == "one" })
	eventually(t, "it is said why", func() bool {
		st, _ := f.Of("a")
		return st.State == Degraded && strings.Contains(st.Error, "unreachable")
	})
}

// TestMarkByHand disables a module by a file beside it.
func TestMarkByHand(t *testing.T) {
	f := newFolder(t, plain)
	f.put("a.wasm", of(t, "one"))
	f.put("b.wasm", saying(t, "b", serving("b", "a.io/v1")))
	f.look()
	f.want("a.io/v1", "one")
	f.put("a.wasm.disabled", nil)
	f.look()
	f.look()
	f.want("a.io/v1", "b") // the other one follows
	if err := os.Remove(filepath.Join(f.dir, "a.wasm.disabled")); err != nil {
		t.Fatal(err)
	}
	f.look()
	f.want("a.io/v1", "b")
	if err := f.failing("a.wasm"); !strings.Contains(err, "already answered by b.wasm") {
		t.Errorf("got %q", err)
	}
}

// TestSelfCheckFailsAfterARestart has a version that served before serve in the place of one that does not load.
func TestSelfCheckFailsAfterARestart(t *testing.T) {
	f := newFolder(t, plain)
	f.put("a.wasm", of(t, "one"))
	f.look()
	f.close()
	f.put("a.wasm", []byte("rubbish"))
	f.Manager = New(f.engine, Options{Dir: f.dir, Interval: time.Hour, Policy: plain, Log: zerolog.Nop()})
	f.look()
	f.want("a.io/v1", "one")
	if st, _ := f.Of("a"); st.State != Degraded || st.Error == "" {
		t.Errorf("%+v", st)
	}
}

func TestStateForgets(t *testing.T) {
	var s state
	for _, d := range strings.Fields("a b c d e f g a") {
		s.served(d, "1", time.Time{})
	}
	var have []string
	for _, p := range s.History {
		have = append(have, p.Digest)
	}
	if !slices.Equal(have, strings.Fields("a g f e d")) {
		t.Errorf("%v", have)
	}
	for range 2 * keptRefusals {
		s.refuse("g", "why", time.Time{})
		s.refuse(string(rune('h'+len(s.Refused))), "why", time.Time{})
	}
	if p, ok := s.before("a"); len(s.Refused) > keptRefusals || !ok || p.Digest != "f" {
		t.Errorf("%d refused, %+v", len(s.Refused), p)
	}
}
