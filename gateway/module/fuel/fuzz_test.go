package fuel

import (
	"context"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
)

// FuzzRewrite: no input makes Rewrite panic, what it accepts is valid afterwards if and only if it was valid before, and
// then it does the same.
func FuzzRewrite(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00"))
	f.Add(base().bytes())
	f.Add(named().bytes())
	for _, wasm := range endless() {
		f.Add(wasm)
	}
	for seed := range uint64(8) {
		f.Add(randomModule(seed))
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	f.Cleanup(func() { rt.Close(ctx) })
	runner := newRunner(f)
	compiles := func(wasm []byte) error {
		m, err := rt.CompileModule(ctx, wasm)
		if err == nil {
			m.Close(ctx)
		}
		return err
	}
	f.Fuzz(func(t *testing.T, wasm []byte) {
		out, err := Rewrite(wasm, Options{})
		if err != nil {
			return // the runtime is not asked: announced sizes that we refuse would have it allocate without limit
		}
		if len(out) > 32*len(wasm)+1024 {
			t.Errorf("%d bytes became %d", len(wasm), len(out))
		}
		before, after := compiles(wasm), compiles(out)
		if before == nil && after != nil {
			t.Errorf("valid before, now: %v", after)
		}
		// The runtime takes an empty custom section at the end for a cut file, which it is not.
		if before != nil && after == nil && !strings.Contains(before.Error(), "EOF") {
			t.Errorf("valid now, before: %v", before)
		}
		if before == nil && after == nil {
			runner.sameRun(t, wasm)
		}
	})
}
