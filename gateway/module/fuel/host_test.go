package fuel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// goGuest is testdata/guest, built once.
var goGuest []byte

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "fuel")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", file, "./testdata/guest")
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build the guest: %v\n%s", err, out)
		return 1
	}
	if goGuest, err = os.ReadFile(file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

var errStopped = errors.New("stopped by the host")

// host is what the guests of a test import.
type host struct {
	spends int
	spend  func()   // called at each spend, may panic to stop the guest
	trace  []uint32 // arguments of env.note
}

func (h *host) spent(context.Context, []uint64) {
	h.spends++
	if h.spend != nil {
		h.spend()
	}
}

func (h *host) note(_ context.Context, stack []uint64) {
	x := api.DecodeU32(stack[0]) // the upper half is undefined
	h.trace = append(h.trace, x)
	stack[0] = api.EncodeU32(x*2654435761 + 1)
}

// start instantiates wasm with a new runtime that is closed at the end of the test.
func (h *host) start(tb testing.TB, wasm []byte, rc wazero.RuntimeConfig) (api.Module, error) {
	tb.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, rc)
	tb.Cleanup(func() { rt.Close(ctx) })
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	one := []api.ValueType{api.ValueTypeI32}
	for module, add := range map[string]func(wazero.HostModuleBuilder) wazero.HostModuleBuilder{
		DefaultModule: func(b wazero.HostModuleBuilder) wazero.HostModuleBuilder {
			return b.NewFunctionBuilder().WithGoFunction(api.GoFunc(h.spent), nil, nil).Export(DefaultName)
		},
		"env": func(b wazero.HostModuleBuilder) wazero.HostModuleBuilder {
			return b.NewFunctionBuilder().WithGoFunction(api.GoFunc(h.note), one, one).Export("note")
		},
	} {
		if _, err := add(rt.NewHostModuleBuilder(module)).Instantiate(ctx); err != nil {
			tb.Fatal(err)
		}
	}
	return rt.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
}

func (h *host) mustStart(tb testing.TB, wasm []byte) api.Module {
	tb.Helper()
	m, err := h.start(tb, wasm, wazero.NewRuntimeConfig())
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func mustRewrite(tb testing.TB, wasm []byte, opts Options) []byte {
	tb.Helper()
	out, err := Rewrite(wasm, opts)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

func call(tb testing.TB, m api.Module, name string, args ...uint64) []uint64 {
	tb.Helper()
	res, err := m.ExportedFunction(name).Call(context.Background(), args...)
	if err != nil {
		tb.Fatalf("%s: %v", name, err)
	}
	return res
}

// same runs an export of a module as it is and rewritten, and compares results and what the host was told.
func same(t *testing.T, wasm []byte, name string, args ...uint64) []uint64 {
	t.Helper()
	var plain host
	want := call(t, plain.mustStart(t, wasm), name, args...)
	for _, interval := range []int32{1, 3, 1000} {
		var fuelled host
		got := call(t, fuelled.mustStart(t, mustRewrite(t, wasm, Options{Interval: interval})), name, args...)
		if !slices.Equal(got, want) {
			t.Fatalf("interval %d: got %v, without fuel %v", interval, got, want)
		}
		if !slices.Equal(fuelled.trace, plain.trace) {
			t.Fatalf("interval %d: the host was told other things than without fuel", interval)
		}
	}
	return want
}
