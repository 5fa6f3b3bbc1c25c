package fuel

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// BenchmarkGuest runs the Go guest as it is, with fuel, and with the runtime's own interruption. One iteration is one call
// of each in turn, so that foreign load hits all alike. It reports the time of each per call, and its ratio to the guest as it
// is: typed and untyped are decode, filter, sort and encode of a pod list of 100 KiB, sum is a tight loop over 1 MiB, fib is
// recursion. The time of the sub-benchmark itself is that of all variants together.
func BenchmarkGuest(b *testing.B) {
	variants := guestVariants(b)
	for _, c := range []struct {
		export string
		arg    uint64
	}{{"typed", 1}, {"untyped", 1}, {"sum", 1024}, {"fib", 24}} {
		b.Run(c.export, func(b *testing.B) {
			runtime.LockOSThread() // for threadTime
			defer runtime.UnlockOSThread()
			times := make([]int64, len(variants))
			for b.Loop() {
				for i, v := range variants {
					start := threadTime()
					if _, err := v.module.ExportedFunction(c.export).Call(v.ctx, c.arg); err != nil {
						b.Fatal(err)
					}
					times[i] += threadTime() - start
				}
			}
			for i, v := range variants {
				b.ReportMetric(float64(times[i])/float64(b.N)/1e6, v.name+"-ms")
				b.ReportMetric(float64(times[i])/float64(times[0]), v.name+"-ratio")
			}
		})
	}
}

type guestVariant struct {
	name   string
	module api.Module
	ctx    context.Context
}

func guestVariants(b *testing.B) []guestVariant {
	b.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	b.Cleanup(cancel)
	variants := []guestVariant{{"plain", new(host).mustStart(b, goGuest), ctx}}
	for _, n := range []int32{100, 1000, 5000} {
		m := new(host).mustStart(b, mustRewrite(b, goGuest, Options{Interval: n}))
		variants = append(variants, guestVariant{fmt.Sprintf("fuel%d", n), m, ctx})
	}
	m, err := new(host).start(b, goGuest, wazero.NewRuntimeConfig().WithCloseOnContextDone(true))
	if err != nil {
		b.Fatal(err)
	}
	return append(variants, guestVariant{"closeOnDone", m, ctx})
}

// BenchmarkRewrite is the price at load time, of a Go module of 3.3 MB with names.
func BenchmarkRewrite(b *testing.B) {
	b.SetBytes(int64(len(goGuest)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Rewrite(goGuest, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCompile compares, in turn, what the compiler needs for the module as it is and for the longer one.
func BenchmarkCompile(b *testing.B) {
	runtime.LockOSThread() // for threadTime
	defer runtime.UnlockOSThread()
	ctx := context.Background()
	modules := [][]byte{goGuest, mustRewrite(b, goGuest, Options{})}
	var times [2]int64
	for b.Loop() {
		for i, wasm := range modules {
			rt := wazero.NewRuntime(ctx)
			start := threadTime()
			if _, err := rt.CompileModule(ctx, wasm); err != nil {
				b.Fatal(err)
			}
			times[i] += threadTime() - start
			rt.Close(ctx)
		}
	}
	b.ReportMetric(float64(times[0])/float64(b.N)/1e6, "plain-ms")
	b.ReportMetric(float64(times[1])/float64(times[0]), "fuel-ratio")
}
