package fuel

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// budget is how many steps a guest of the fuzzer may take. One that needs more is not compared.
const budget = 2_000

// run is one run of a module: what the host sees of it.
type run struct {
	left   int // calls of spend until it is stopped
	events []string
	memory []byte
}

type runKey struct{}

func (r *run) note(format string, args ...any) {
	r.events = append(r.events, fmt.Sprintf(format, args...))
}

// runner runs modules with a runtime that lives as long as the test.
type runner struct{ wazero.Runtime }

func newRunner(tb testing.TB) *runner {
	ctx := context.Background()
	// What is not rewritten is ended by its context, should it need longer than the rewritten one.
	rc := wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(16).WithCloseOnContextDone(true)
	r := &runner{wazero.NewRuntimeWithConfig(ctx, rc)}
	tb.Cleanup(func() { r.Close(ctx) })
	spend := api.GoFunc(func(ctx context.Context, _ []uint64) {
		if run := ctx.Value(runKey{}).(*run); run.left > 0 {
			run.left--
			return
		}
		panic(errStopped)
	})
	note := api.GoFunc(func(ctx context.Context, stack []uint64) {
		x := api.DecodeU32(stack[0])
		ctx.Value(runKey{}).(*run).note("note %d", x)
		stack[0] = api.EncodeU32(x*2654435761 + 1)
	})
	one := []api.ValueType{api.ValueTypeI32}
	fuel := r.NewHostModuleBuilder(DefaultModule).NewFunctionBuilder().WithGoFunction(spend, nil, nil).Export(DefaultName)
	env := r.NewHostModuleBuilder("env").NewFunctionBuilder().WithGoFunction(note, one, one).Export("note")
	for _, b := range []wazero.HostModuleBuilder{fuel, env} {
		if _, err := b.Instantiate(ctx); err != nil {
			tb.Fatal(err)
		}
	}
	return r
}

// errOpen is the end of a run that shows nothing: out of steps, or of stack, which what is added needs some of.
var errOpen = errors.New("the run was not finished")

// run instantiates a module and calls each of its functions that take and give numbers, twice. memory says whether it has
// one.
func (r *runner) run(wasm []byte, steps int, memory bool) (*run, error) {
	result := &run{left: steps}
	ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), runKey{}, result), time.Minute)
	defer cancel()
	mod, err := r.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if mod != nil {
		defer mod.Close(ctx)
	}
	if err != nil {
		return result, result.failed("instantiate", err)
	}
	functions := mod.ExportedFunctionDefinitions()
	for _, name := range slices.Sorted(maps.Keys(functions)) {
		f := functions[name]
		if !numbers(f.ParamTypes()) || !numbers(f.ResultTypes()) {
			continue
		}
		for arg := range uint64(2) {
			results, err := mod.ExportedFunction(name).Call(ctx, slices.Repeat([]uint64{3 * arg}, len(f.ParamTypes()))...)
			if err := result.failed(name, err); err != nil {
				return result, err
			}
			result.note("%s(%d) = %x", name, 3*arg, results)
		}
	}
	if memory { // wazero has no other way to ask for it
		b, _ := mod.Memory().Read(0, mod.Memory().Size())
		result.memory = bytes.Clone(b)
	}
	return result, nil
}

func numbers(types []api.ValueType) bool {
	return !slices.ContainsFunc(types, func(t api.ValueType) bool { return t < api.ValueTypeF64 || t > api.ValueTypeI32 })
}

// failed notes an error of the guest.
func (r *run) failed(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errStopped) || strings.Contains(err.Error(), "stack overflow"):
		return errOpen
	}
	line, _, _ := strings.Cut(err.Error(), "\n") // below is a stack, in which functions have moved
	if what == "instantiate" {
		line = "" // it may name an index
	}
	r.note("%s: %s", what, line)
	return nil
}

// sameRun compares runs of a module as it is and rewritten. What can have the host allocate without limit when it is not
// rewritten does not run.
func (r *runner) sameRun(t *testing.T, wasm []byte) {
	if bytes.Contains(wasm, []byte{opMisc, 15}) { // table.grow, which is bounded by the rewriting alone
		return
	}
	m, err := parse(wasm, Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	for _, interval := range []int32{1, 50} {
		got, err := r.run(mustRewrite(t, wasm, Options{Interval: interval}), budget/int(interval), m.memories > 0)
		if err != nil {
			return
		}
		want, err := r.run(wasm, 0, m.memories > 0)
		if err != nil {
			if errors.Is(err, errOpen) {
				return
			}
			t.Fatal(err)
		}
		if !slices.Equal(got.events, want.events) {
			t.Fatalf("interval %d: got %q, without fuel %q", interval, got.events, want.events)
		}
		if !bytes.Equal(got.memory, want.memory) {
			t.Fatalf("interval %d: the memory differs", interval)
		}
	}
}

// TestSameRunSeesDifferences: what the fuzzer compares would show a rewriting that goes wrong.
func TestSameRunSeesDifferences(t *testing.T) {
	r := newRunner(t)
	seen := map[string]bool{}
	for seed := range uint64(8) {
		got, err := r.run(randomModule(seed), 0, true)
		if err != nil || len(got.events) < 2 || len(got.memory) == 0 {
			t.Fatalf("seed %d: %v, %q", seed, err, got.events)
		}
		seen[fmt.Sprint(got.events, got.memory)] = true
	}
	if len(seen) != 8 {
		t.Errorf("8 modules have %d different runs", len(seen))
	}
	if _, err := r.run(mustRewrite(t, endless()["br"], Options{}), 5, false); !errors.Is(err, errOpen) {
		t.Errorf("an endless guest ended with %v", err)
	}
}
