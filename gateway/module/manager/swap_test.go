package manager

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manifest"
	"github.com/posternhq/postern/gateway/module/moduletest/guests"
	"github.com/posternhq/postern/gateway/module/service"
)

// TestSwapsLeaveNothing replaces a module many times while it is asked: no request fails, and in the end as much is there
// as in the beginning.
func TestSwapsLeaveNothing(t *testing.T) {
	swaps := func(f *folder, n int, content func(i int) []byte, expect func(body string) bool) {
		stop := keepAsking(f, 3, expect)
		var old []*module.Generation
		for i := range n {
			old = append(old, f.serving("test.postern.io", "v1"))
			f.put("a.wasm", content(i))
			f.look()
		}
		stop()
		eventually(t, "the old generations close", func() bool { f.sweep(); return len(f.retired) == 0 })
		for _, g := range old {
			if i, m, calls := g.Stats.Instances.Load(), g.Stats.Memory.Load(), g.HostCallsInFlight(); i != 0 || m != 0 || calls != 0 {
				t.Errorf("a closed generation has %d instances, %d bytes, %d calls", i, m, calls)
			}
		}
	}
	t.Run("small guest", func(t *testing.T) {
		f := newFolder(t, plain)
		of := func(i int) []byte { return saying(t, fmt.Sprint("generation ", i), serving("a", "test.postern.io/v1")) }
		f.put("a.wasm", of(-1))
		f.look()
		good := func(body string) bool { return strings.HasPrefix(body, "generation ") }
		swaps(f, 20, of, good)
		goroutines, descriptors, mappings := settled(t), count(t, "/proc/self/fd"), count(t, "/proc/self/maps")
		swaps(f, 200, of, good)
		f.want("test.postern.io/v1", "generation 199")
		if now := settled(t); now > goroutines+workers {
			t.Errorf("%d goroutines before, %d after", goroutines, now)
		}
		// Machine code is unmapped when the collector has found it unused. Of 200 swaps each one that leaves something adds up.
		eventually(t, "descriptors and mappings are as many as before", func() bool {
			runtime.GC()
			return count(t, "/proc/self/fd") <= descriptors+10 && count(t, "/proc/self/maps") <= mappings+100
		})
	})
	t.Run("Go guest", func(t *testing.T) {
		patient := granted() // the machine may be busy with other tests: this one is about swaps
		patient.Limits.CPUPerCall, patient.Limits.Deadline = 20*time.Second, time.Minute
		f := newFolder(t, func(string) module.Policy { return patient })
		wasm := guests.Build(t, "../testdata/mischief")
		of := func(i int) []byte {
			about := fmt.Sprintf("name: mischief\nversion: \"%d\"\nserves: [{group: test.postern.io, versions: [v1]}]\n"+
				"wants: {prometheus: true, http: [echo]}\n", i)
			packed, err := manifest.Pack(wasm, []byte(about))
			if err != nil {
				t.Fatal(err)
			}
			return packed
		}
		f.put("a.wasm", of(-1))
		f.look()
		swaps(f, 6, of, func(string) bool { return true })
		g := f.serving("test.postern.io", "v1")
		if n, m := g.Stats.Instances.Load(), g.Stats.Memory.Load(); n != 1 || m <= 0 || m > granted().Limits.Memory {
			t.Errorf("%d instances with %d bytes", n, m)
		}
	})
}

// granted is a policy that grants what the test guest wants.
func granted() module.Policy {
	return module.Policy{Limits: module.DefaultLimits(), Grants: service.Grants{Prometheus: true, HTTP: []string{"echo"}}}
}

// workers is as many instances as a synchronous guest may have: each has a goroutine.
const workers = 64

// count is the number of entries of a folder, or of lines of a file, of /proc; 0 on systems that have none.
func count(t testing.TB, path string) int {
	t.Helper()
	if entries, err := os.ReadDir(path); err == nil {
		return len(entries)
	}
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return bytes.Count(text, []byte{'\n'})
}

// keepAsking asks f without a pause from so many goroutines, until the function it returns is called.
func keepAsking(f *folder, clients int, good func(body string) bool) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				m := f.Table().Find("test.postern.io", "v1")
				if m == nil {
					f.t.Error("nobody serves")
					return
				}
				code, body := ask(f.t, "/kapis/test.postern.io/v1/ok", func(x *exchange.Exchange) {
					if !m.Serve(x) {
						f.t.Error("the module has gone")
					}
				})
				if code != 200 || !good(body) {
					f.t.Errorf("got %d %q", code, body)
				}
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// settled is the number of goroutines once it has stopped falling.
func settled(t testing.TB) (n int) {
	t.Helper()
	same := 0
	eventually(t, "goroutines settle", func() bool {
		if now := runtime.NumGoroutine(); now != n {
			n, same = now, 0
		}
		same++
		return same > 20
	})
	return n
}
