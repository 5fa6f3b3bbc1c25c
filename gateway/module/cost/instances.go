//go:build linux

package cost

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/internal/variant"
)

// Instance is what one spare instance costs, on average.
type Instance struct {
	CPU     time.Duration // of the process, to make it
	Private int64         // bytes: pages that only this process has and that it has written to; guest and host
	// Snapshot says whether it is a copy, and if not why.
	Snapshot string
}

// batch is how many instances are alive at once while they are counted.
const batch = 50

// Instances measures spare instances of a module: each made on its own, and as copies of the first, in turn.
func Instances(ctx context.Context, wasm []byte, policy module.Policy, rounds int) (plain, copied Instance, err error) {
	var subjects [2]*subject
	for i, v := range []variant.Variant{{NoCopies: true}, {}} {
		if subjects[i], err = load(ctx, wasm, policy, v); err != nil {
			return plain, copied, err
		}
		defer subjects[i].close()
	}
	results := [2]*Instance{&plain, &copied}
	for range rounds {
		for i, s := range subjects {
			if err := results[i].measure(s); err != nil {
				return plain, copied, err
			}
		}
	}
	for i, r := range results {
		r.CPU /= time.Duration(rounds * batch)
		r.Private /= int64(rounds * batch)
		r.Snapshot = subjects[i].Snapshot()
	}
	return plain, copied, nil
}

// measure adds what a batch costs.
func (i *Instance) measure(s *subject) error {
	before, err := settled()
	if err != nil {
		return err
	}
	start := processTime()
	end, err := s.Spares(batch)
	if err != nil {
		return err
	}
	i.CPU += processTime() - start
	defer end()
	after, err := settled()
	i.Private += after - before
	return err
}

// settled is the private memory of the process without garbage.
func settled() (int64, error) {
	runtime.GC()
	debug.FreeOSMemory()
	text, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "Private_Dirty: %d kB", &kib); n == 1 {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("no Private_Dirty in /proc/self/smaps_rollup")
}

// processTime is the CPU time of all threads, user and system.
func processTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0 // Linux has had this clock since 2.6
	}
	return time.Duration(t.Nano())
}
