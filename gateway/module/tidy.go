package module

import (
	"runtime/debug"
	"sync"
	"time"
)

// tidyAfter is how long memory that was given up stays mapped: long enough that several modules that go one after the
// other cost one collection, which takes some 10 ms of one core.
const tidyAfter = 2 * time.Second

// tidying returns memory to the system after modules were unloaded. wazero unmaps machine code when the collector finds
// it unused, which on a gateway whose heap does not grow may take two minutes.
type tidying struct {
	mu      sync.Mutex
	timer   *time.Timer // nil when nothing is to be done
	stopped bool
	running sync.WaitGroup
}

// tidy has what is unused returned soon.
func (e *Engine) tidy() {
	t := &e.tidying
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil || t.stopped {
		return
	}
	t.running.Add(1)
	t.timer = time.AfterFunc(tidyAfter, func() {
		defer t.running.Done()
		t.mu.Lock()
		t.timer = nil
		t.mu.Unlock()
		debug.FreeOSMemory()
	})
}

// stop waits for what runs and does nothing any more.
func (t *tidying) stop() {
	t.mu.Lock()
	t.stopped = true
	if t.timer != nil && t.timer.Stop() {
		t.running.Done()
	}
	t.mu.Unlock()
	t.running.Wait()
}
