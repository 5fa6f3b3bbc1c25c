package module

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/posternhq/postern/gateway/module/internal/variant"
)

// loadAs is load for one of the ways that only tests have.
func loadAs(t testing.TB, e *Engine, wasm []byte, policy Policy, v variant.Variant) *Generation {
	t.Helper()
	g, err := e.Load(variant.With(context.Background(), v), wasm, func(string) Policy { return policy })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Retire(); <-g.Closed() })
	return g
}

// TestCopiesAnswerAlike asks the first instance, a copy, one that is no copy, and one without fuel.
func TestCopiesAnswerAlike(t *testing.T) {
	e := engine(t, Services{})
	for name, guest := range map[string]struct {
		wasm []byte
		uris []string
	}{
		"hello": {build(t, "../../wasm-modules/hello"), []string{"/kapis/hello.postern.io/v1/greetings?name=K", "/kapis/hello.postern.io/v1/nothing"}},
		"c":     {guestC(t), []string{"/kapis/test.postern.io/v1/x"}},
		"mischief": {build(t, "testdata/mischief"), []string{
			"/kapis/test.postern.io/v1/ok", "/kapis/test.postern.io/v1/sleep", "/kapis/test.postern.io/v1/nap", "/kapis/test.postern.io/v1/rubbish", "/kapis/test.postern.io/v1/big/70000", "/kapis/test.postern.io/v1/splice", "/kapis/test.postern.io/v1/settings", "/kapis/test.postern.io/v1/whoami", "/kapis/test.postern.io/v1/none", "/kapis/test.postern.io/v1/panic", "/kapis/test.postern.io/v1/exit", "/kapis/test.postern.io/v1/fan/3",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			p := granted()
			plain := loadAs(t, e, guest.wasm, p, variant.Variant{NoCopies: true})
			if s := plain.Snapshot(); s != "no: off" {
				t.Errorf("snapshot of the plain one: %s", s)
			}
			type answer struct {
				code int
				body string
			}
			want := map[string]answer{}
			for _, uri := range guest.uris {
				code, body := ask(t, uri, plain.Serve)
				want[uri] = answer{code, body}
			}
			for way, v := range map[string]variant.Variant{"first": {}, "copy": {OnlyCopies: true}, "no fuel": {NoFuel: true}} {
				g := loadAs(t, e, guest.wasm, p, v)
				if s := g.Snapshot(); s != "yes" {
					t.Errorf("snapshot of %s: %s", way, s)
				}
				for _, uri := range guest.uris {
					code, body := ask(t, uri, g.Serve)
					if got := (answer{code, body}); got != want[uri] {
						t.Errorf("%s: %s: %v, want %v", way, uri, got, want[uri])
					}
				}
			}
		})
	}
}

// TestCopyGoesOnAfterTraps has instance after instance die: each of the next is a copy of the first, not of its successors.
func TestCopyGoesOnAfterTraps(t *testing.T) {
	g := load(t, engine(t, Services{}), build(t, "testdata/mischief"), granted())
	for range 5 {
		if code, body := ask(t, "/kapis/test.postern.io/v1/count", g.Serve); code != 200 || body != "1" {
			t.Errorf("counts %d %q, want 1 each time", code, body)
		}
		if code, _ := ask(t, "/kapis/test.postern.io/v1/panic", g.Serve); code != 502 {
			t.Errorf("panic: %d", code)
		}
	}
	eventually(t, "all instances are gone", func() bool { return g.Stats.Instances.Load() == 0 })
	if held := g.image.copies.of.Held(); g.Stats.Memory.Load() != held || held == 0 {
		t.Errorf("%d bytes of memory without instances, the snapshot has %d", g.Stats.Memory.Load(), held)
	}
}

// TestGoroutinesOfInitGoOn: a goroutine that init started and that waits for a timer runs in the copies too.
func TestGoroutinesOfInitGoOn(t *testing.T) {
	e := engine(t, Services{})
	for way, v := range map[string]variant.Variant{"first": {}, "copy": {OnlyCopies: true}} {
		g := loadAs(t, e, build(t, "testdata/mischief"), granted(), v)
		if code, body := ask(t, "/kapis/test.postern.io/v1/ticked", g.Serve); code != 200 || body != "ticked" {
			t.Errorf("%s: %d %q", way, code, body)
		}
	}
}

// TestInitReachesTheHost has init ask for the settings: a copy has what the first one got.
func TestInitReachesTheHost(t *testing.T) {
	e := engine(t, Services{})
	for way, v := range map[string]variant.Variant{"first": {}, "copy": {OnlyCopies: true}} {
		g := loadAs(t, e, build(t, "testdata/mischief"), withSettings(`{"a":1}`), v)
		if code, body := ask(t, "/kapis/test.postern.io/v1/early", g.Serve); code != 200 || body != `{"a":1}` {
			t.Errorf("%s: %d %q", way, code, body)
		}
	}
}

func withSettings(json string) Policy {
	p := granted()
	p.Settings = []byte(json)
	return p
}

// TestModulesThatCannotBeCopied run all the same.
func TestModulesThatCannotBeCopied(t *testing.T) {
	passive := assembly{data: []byte{1, 1, 1, 'x'}}
	g := load(t, engine(t, Services{}), passive.bytes(t), Policy{Limits: DefaultLimits()})
	if s := g.Snapshot(); !strings.HasPrefix(s, "no: ") || !strings.HasSuffix(s, "passive data segments") {
		t.Errorf("snapshot: %s", s)
	}
	for range 3 {
		if code, body := ask(t, "/kapis/test.postern.io/v1/x", g.Serve); code != 200 {
			t.Errorf("got %d %s", code, body)
		}
	}
}

// TestSnapshotsAreFreed loads and retires many generations, each with copies: no mapping and no file of them is left.
func TestSnapshotsAreFreed(t *testing.T) {
	e := engine(t, Services{})
	wasm := build(t, "../../wasm-modules/hello")
	const limit = 555 * pageSize // nobody else's size
	policy := Policy{Limits: DefaultLimits()}
	policy.Limits.Memory = limit
	files, maps := snapshotFiles(t), snapshotMaps(t)
	for range 30 {
		g, err := e.Load(variant.With(context.Background(), variant.Variant{OnlyCopies: true}), wasm, func(string) Policy { return policy })
		if err != nil {
			t.Fatal(err)
		}
		if code, body := ask(t, "/kapis/hello.postern.io/v1/greetings", g.Serve); code != 200 {
			t.Fatalf("got %d %s", code, body)
		}
		if snapshotFiles(t) == files || snapshotMaps(t) == maps {
			t.Fatal("no snapshot while it is used: this test sees nothing")
		}
		g.Retire()
		<-g.Closed()
		if m := g.Stats.Memory.Load(); m != 0 {
			t.Fatalf("%d bytes are left", m)
		}
	}
	if f, m := snapshotFiles(t), snapshotMaps(t); f != files || m != maps {
		t.Errorf("%d files and %d mappings before, %d and %d after", files, maps, f, m)
	}
}

// snapshotFiles counts this process's open snapshots.
func snapshotFiles(t *testing.T) (n int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if target, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.Contains(target, "postern-snapshot") {
			n++
		}
	}
	return n
}

// snapshotMaps counts its mappings of snapshots.
func snapshotMaps(t *testing.T) int {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(maps), "postern-snapshot")
}

// BenchmarkInstance makes an instance and ends it, plainly and as a copy. B/op is the host's own heap.
func BenchmarkInstance(b *testing.B) {
	ctx := context.Background()
	e, err := NewEngine(ctx, Options{Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close(ctx)
	for name, v := range map[string]variant.Variant{"plain": {NoCopies: true}, "copy": {}} {
		b.Run(name, func(b *testing.B) {
			g := loadAs(b, e, build(b, "../../wasm-modules/hello"), granted(), v)
			b.ReportAllocs()
			for b.Loop() {
				i, err := newInstance(g)
				if err != nil {
					b.Fatal(err)
				}
				i.free()
			}
		})
	}
}
