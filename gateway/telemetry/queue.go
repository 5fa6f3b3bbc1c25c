package telemetry

import (
	"bufio"
	"io"
	"sync"
	"sync/atomic"
)

// The queue between requests and the log: lines that do not fit are dropped and counted, since a slow disk or terminal
// must not slow down traffic. Lines have some 500 bytes, so a full queue is 2 MiB; 64 MiB if every one were of the largest.
const (
	queueLines = 4096
	maxLine    = 16 << 10
)

// Queue is a writer of log lines that never blocks: one goroutine writes them on.
type Queue struct {
	lines   chan *[]byte
	done    chan struct{}
	dropped atomic.Int64
	once    sync.Once
}

var lines = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// NewQueue starts a queue in front of w. Close ends it.
func NewQueue(w io.Writer) *Queue {
	q := &Queue{lines: make(chan *[]byte, queueLines), done: make(chan struct{})}
	go q.run(w)
	return q
}

// Write queues one line; it never fails. Allocates nothing once warm.
func (q *Queue) Write(p []byte) (int, error) {
	if len(p) > maxLine {
		q.dropped.Add(1)
		return len(p), nil
	}
	b := lines.Get().(*[]byte)
	*b = append((*b)[:0], p...)
	select {
	case q.lines <- b:
	default:
		q.dropped.Add(1)
		lines.Put(b)
	}
	return len(p), nil
}

// Dropped is how many lines found the queue full.
func (q *Queue) Dropped() int64 { return q.dropped.Load() }

// Close writes what is queued and ends. Nothing may be written after it.
func (q *Queue) Close() {
	q.once.Do(func() { close(q.lines) })
	<-q.done
}

// run writes lines on, several at once while more are waiting.
func (q *Queue) run(w io.Writer) {
	defer close(q.done)
	out := bufio.NewWriterSize(w, 64<<10)
	for b := range q.lines {
		// An error is the log's own trouble: there is nowhere to report it.
		_, _ = out.Write(*b)
		lines.Put(b)
		if len(q.lines) == 0 {
			_ = out.Flush()
		}
	}
	_ = out.Flush()
}
