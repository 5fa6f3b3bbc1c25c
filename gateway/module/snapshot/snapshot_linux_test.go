package snapshot

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// room is the address space of a test's memory, and perhaps the copy of another.
type room struct {
	bytes []byte
	of    *Snapshot
}

func newRoom(t testing.TB, size int, of *Snapshot) *room {
	t.Helper()
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	if of != nil {
		if err := of.Map(b); err != nil {
			t.Fatal(err)
		}
	}
	return &room{b, of}
}

func (r *room) Allocate(uint64, uint64) experimental.LinearMemory { return r }
func (r *room) Free()                                             {}

func (r *room) Reallocate(size uint64) []byte {
	if size > uint64(len(r.bytes)) {
		return nil
	}
	return r.bytes[:size:size]
}

const maxPages = 16

// start makes an instance of the prepared module: the first one, or a copy.
func start(t testing.TB, wasm []byte, of *Snapshot) (api.Module, *Plan) {
	t.Helper()
	out, plan, err := Prepare(wasm)
	if err != nil {
		t.Fatal(err)
	}
	mod, err := instantiate(t, out, of)
	if err != nil {
		t.Fatal(err)
	}
	if of != nil {
		err = of.Restore(mod)
	} else {
		err = plan.Fill(mod.Memory())
	}
	if err != nil {
		t.Fatal(err)
	}
	return mod, plan
}

func instantiate(t testing.TB, wasm []byte, of *Snapshot) (api.Module, error) {
	ctx := experimental.WithMemoryAllocator(context.Background(), newRoom(t, maxPages*pageSize, of))
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(maxPages))
	t.Cleanup(func() { rt.Close(ctx) })
	return rt.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithStartFunctions())
}

func capture(t testing.TB, plan *Plan, mod api.Module) *Snapshot {
	t.Helper()
	s, err := plan.Capture(mod)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func count(t *testing.T, mod api.Module) uint64 {
	t.Helper()
	res, err := mod.ExportedFunction("count").Call(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return res[0]
}

// TestCopiesBeginWhereTheFirstWas: the memory's length and content and the globals; and then each goes its own way.
func TestCopiesBeginWhereTheFirstWas(t *testing.T) {
	first, plan := start(t, with(), nil)
	if got := count(t, first); got != 3+8+7 {
		t.Fatalf("the first call gave %d", got)
	}
	s := capture(t, plan, first)
	if s.Size() != 2*pageSize || s.Held() == 0 || s.Held() > pageSize {
		t.Errorf("a snapshot of %d bytes holds %d", s.Size(), s.Held())
	}
	want := []uint64{11 + 9 + 9, 20 + 10 + 11}
	copies := []api.Module{first}
	for range 3 {
		mod, _ := start(t, with(), s)
		copies = append(copies, mod)
	}
	for n, mod := range copies {
		if got := []uint64{count(t, mod), count(t, mod)}; !slices.Equal(got, want) {
			t.Errorf("instance %d goes on with %d, want %d", n, got, want)
		}
	}
}

// TestRoomIsClearedBeforeItIsShared: what lies between the pages of a snapshot is zero, whatever was there.
func TestRoomIsClearedBeforeItIsShared(t *testing.T) {
	for name, memory := range map[string][]byte{
		"empty":     make([]byte, 8*pageSize),
		"full":      bytes.Repeat([]byte{7}, 8*pageSize),
		"ends":      slices.Concat([]byte{1}, make([]byte, 8*pageSize-2), []byte{2}),
		"scattered": scattered(200),
		"none":      nil,
	} {
		pages, err := newPages(memory)
		if err != nil {
			t.Fatal(err)
		}
		s := &Snapshot{pages: pages}
		r := newRoom(t, len(memory)+pageSize, nil)
		copy(r.bytes, bytes.Repeat([]byte{9}, len(r.bytes)))
		if err := s.Map(r.bytes); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.bytes[:len(memory)], memory) || r.bytes[len(memory)] != 9 {
			t.Errorf("%s: the room is not what the snapshot has", name)
		}
		if len(memory) > 0 {
			if err := s.Map(r.bytes[:len(memory)-1]); err == nil {
				t.Errorf("%s: maps into less room than it needs", name)
			}
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if !bytes.Equal(r.bytes[:len(memory)], memory) {
			t.Errorf("%s: the copy changed when the snapshot was closed", name)
		}
	}
}

// scattered is memory with n bytes set, far from each other: more stretches than may be mapped one by one.
func scattered(n int) []byte {
	memory := make([]byte, n*2*pageSize)
	for i := range n {
		memory[i*2*pageSize+5] = byte(i + 1)
	}
	return memory
}

func TestRunsAreBounded(t *testing.T) {
	for _, n := range []int{0, 1, 10, 200, 500} {
		if runs := runsOf(scattered(n)); len(runs) > maxRuns || len(runs) == 0 && n > 0 {
			t.Errorf("%d pages make %d runs", n, len(runs))
		}
	}
}

func TestDataOutsideMemory(t *testing.T) {
	out, plan, err := Prepare(with(section{11, list(cat([]byte{0, opI32Const, 0xff, 0xff, 3, opEnd}, named("xy")))}))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := instantiate(t, out, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := plan.Fill(mod.Memory()); err == nil {
		t.Error("data beyond the end of the memory passes")
	}
}

// compare makes an instance of a module as it is and prepared, and a copy of the latter: all begin alike.
func compare(t *testing.T, wasm []byte) {
	t.Helper()
	out, plan, _ := Prepare(wasm)
	want, plainErr := instantiate(t, wasm, nil)
	got, err := instantiate(t, out, nil)
	if err == nil {
		err = plan.Fill(got.Memory())
	}
	if (plainErr == nil) != (err == nil) {
		t.Fatalf("as it is: %v; prepared: %v", plainErr, err)
	}
	if err != nil {
		return
	}
	s := capture(t, plan, got)
	again, err := instantiate(t, out, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Restore(again); err != nil {
		t.Fatal(err)
	}
	for name, mod := range map[string]api.Module{"prepared": got, "copy": again} {
		a, _ := want.Memory().Read(0, want.Memory().Size())
		b, _ := mod.Memory().Read(0, mod.Memory().Size())
		if !bytes.Equal(a, b) {
			t.Errorf("%s: the memory differs", name)
		}
		for i, global := range plan.globals {
			if v := mod.ExportedGlobal(global).Get(); v != s.globals[i] {
				t.Errorf("%s: %s is %d, want %d", name, global, v, s.globals[i])
			}
		}
	}
}
