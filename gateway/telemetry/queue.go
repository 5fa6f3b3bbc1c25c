package telemetry

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// The queue between requests and the log: lines that do not fit are dropped and counted, since a slow disk or terminal
// must not slow down traffic. A line has some 400 bytes, so that 5,000 fit.
const (
	queueBytes = 2 << 20
	maxLine    = 16 << 10
	// keepBytes is the most that is kept of an emptied buffer: as much as fills up in gather at 50,000 requests a second.
	keepBytes = 256 << 10
)

// gather is how long lines wait for others that are written with them: a write for each line costs more CPU than all else
// about it.
const gather = 10 * time.Millisecond

// Queue is a writer of log lines that never blocks: one goroutine writes them on, gather later.
type Queue struct {
	out     io.Writer
	mu      sync.Mutex
	lines   []byte        // whole lines
	wake    chan struct{} // lines is not empty any more
	stop    chan struct{}
	done    chan struct{}
	dropped atomic.Int64
	once    sync.Once
}

// NewQueue starts a queue in front of w. Close ends it.
func NewQueue(w io.Writer) *Queue {
	q := &Queue{out: w, wake: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go q.run()
	return q
}

// Write queues one line; it never fails. Allocates nothing once warm.
func (q *Queue) Write(p []byte) (int, error) {
	if len(p) > maxLine || !q.add(p) {
		q.dropped.Add(1)
	}
	return len(p), nil
}

// add appends a line, if there is room.
func (q *Queue) add(p []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines)+len(p) > queueBytes {
		return false
	}
	if len(q.lines) == 0 {
		select {
		case q.wake <- struct{}{}:
		default: // it has been woken for lines that were taken since
		}
	}
	q.lines = append(q.lines, p...)
	return true
}

// take gives what is queued, and queues into spare from now on.
func (q *Queue) take(spare []byte) []byte {
	if cap(spare) > keepBytes {
		spare = nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	lines := q.lines
	q.lines = spare[:0]
	return lines
}

// Dropped is how many lines found the queue full.
func (q *Queue) Dropped() int64 { return q.dropped.Load() }

// closing is how long Close waits for a writer that blocks: a terminal that was stopped, a pipe that nobody reads.
const closing = 2 * time.Second

// Close writes what is queued and ends. What is written after it is lost, and so is what the log does not take within two
// seconds: a log that is stuck must not keep the process from ending.
func (q *Queue) Close() {
	q.once.Do(func() { close(q.stop) })
	timer := time.NewTimer(closing)
	defer timer.Stop()
	select {
	case <-q.done:
	case <-timer.C:
	}
}

// run writes lines on, all that have come together at once.
func (q *Queue) run() {
	defer close(q.done)
	timer := time.NewTimer(gather)
	defer timer.Stop()
	var lines []byte
	for stopping := false; !stopping; {
		select {
		case <-q.wake:
			timer.Reset(gather)
			select {
			case <-timer.C:
			case <-q.stop:
				stopping = true
			}
		case <-q.stop:
			stopping = true
		}
		if lines = q.take(lines); len(lines) > 0 {
			_, _ = q.out.Write(lines) // an error is the log's own trouble: there is nowhere to report it
		}
	}
}
