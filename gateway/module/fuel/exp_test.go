package fuel

import (
	"context"
	"fmt"
	"os"
	"sort"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

func cpu() time.Duration {
	var ts syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 3, uintptr(unsafe.Pointer(&ts)), 0)
	return time.Duration(ts.Nano())
}

type expInst struct {
	name       string
	mod        api.Module
	times, raw map[string][]float64
}

func expLoad(t testing.TB, name string, wasm []byte, rc wazero.RuntimeConfig, spends *int) *expInst {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, rc)
	wasi_snapshot_preview1.MustInstantiate(ctx, rt)
	rt.NewHostModuleBuilder("postern:fuel").NewFunctionBuilder().WithGoFunction(api.GoFunc(func(context.Context, []uint64) { *spends++ }), nil, nil).Export("spend").Instantiate(ctx)
	m, err := rt.InstantiateWithConfig(ctx, wasm, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		t.Fatal(name, err)
	}
	return &expInst{name, m, map[string][]float64{}, map[string][]float64{}}
}

func TestExp(t *testing.T) {
	wasm, err := os.ReadFile("/tmp/fuel_guest.wasm")
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for range 5 {
		t0 := time.Now()
		out, err = Rewrite(wasm, Options{})
		fmt.Println("rewrite", time.Since(t0), len(wasm), len(out), err)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, _ := parse(wasm, Options{}.withDefaults())
	kinds := map[siteKind]int{}
	for _, s := range m.sites {
		kinds[s.kind]++
	}
	ch, ind := 0, 0
	for _, b := range m.bodies {
		if b.checked {
			ch++
		}
		if b.indirect {
			ind++
		}
	}
	fmt.Println("bodies", len(m.bodies), "checked", ch, "indirect", ind, "sites", kinds)
	var spends int
	insts := []*expInst{expLoad(t, "plain", wasm, wazero.NewRuntimeConfig(), &spends)}
	insts = append(insts, expLoad(t, "fuel1000", out, wazero.NewRuntimeConfig(), &spends))
	for _, v := range variants {
		out, err := v.f(wasm)
		fmt.Println(v.name, len(out))
		if err != nil {
			t.Fatal(err)
		}
		insts = append(insts, expLoad(t, v.name, out, wazero.NewRuntimeConfig(), &spends))
	}
	calls := []struct {
		fn  string
		arg uint64
	}{{"typed", 1}, {"untyped", 1}, {"sum", 2000}, {"fib", 24}}
	runtimeLock()
	for round := range 25 {
		for _, c := range calls {
			for _, in := range insts {
				if g, ok := in.mod.ExportedGlobal(GlobalExport).(api.MutableGlobal); ok && len(in.name) > 5 && in.name[len(in.name)-5:] == "floor" {
					g.Set(1 << 28)
				}
				t0 := cpu()
				if _, err := in.mod.ExportedFunction(c.fn).Call(context.Background(), c.arg); err != nil {
					t.Fatal(in.name, c.fn, err)
				}
				if round > 0 {
					d := float64(cpu() - t0)
					in.times[c.fn] = append(in.times[c.fn], d)
					in.raw[c.fn] = append(in.raw[c.fn], d)
				}
			}
		}
	}
	for _, c := range calls {
		for _, in := range insts {
			x := in.times[c.fn]
			sort.Float64s(x)
			y := insts[0].times[c.fn]
			var rr []float64
			for i := range in.raw[c.fn] {
				rr = append(rr, in.raw[c.fn][i]/insts[0].raw[c.fn][i])
			}
			sort.Float64s(rr)
			fmt.Printf("%.3f paired | %-8s %-12s med %.3f ms min %.3f ratio med %.3f min %.3f\n", rr[len(rr)/2], c.fn, in.name, x[len(x)/2]/1e6, x[0]/1e6, x[len(x)/2]/y[len(y)/2], x[0]/y[0])
		}
	}
	fmt.Println("spends", spends)
}
