package telemetry

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a log that can be slow.
type recorder struct {
	mu     sync.Mutex
	text   bytes.Buffer
	writes int
	block  chan struct{} // nil: never
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.block != nil {
		<-r.block
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes++
	return r.text.Write(p)
}

func TestLinesAreWrittenTogetherAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(recorder)
		q := NewQueue(r)
		var want strings.Builder
		for i := range 1000 {
			line := fmt.Sprintln("line", i)
			want.WriteString(line)
			if n, err := q.Write([]byte(line)); n != len(line) || err != nil {
				t.Fatal(n, err)
			}
		}
		time.Sleep(2 * gather)
		synctest.Wait()
		if r.text.String() != want.String() || r.writes != 1 {
			t.Errorf("%d writes, %d bytes instead of %d", r.writes, r.text.Len(), want.Len())
		}
		fmt.Fprintln(q, "the next") // wakes it again
		time.Sleep(2 * gather)
		synctest.Wait()
		if !strings.HasSuffix(r.text.String(), "the next\n") || r.writes != 2 {
			t.Errorf("%d writes", r.writes)
		}
		fmt.Fprintln(q, "the last")
		q.Close() // writes it at once
		q.Close()
		if !strings.HasSuffix(r.text.String(), "the last\n") {
			t.Error("the last line is lost")
		}
	})
}

func TestSlowLogBlocksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recorder{block: make(chan struct{})}
		q := NewQueue(r)
		line := append(bytes.Repeat([]byte("x"), 999), '\n')
		if _, err := q.Write(line); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * gather)
		synctest.Wait() // that line is being written, and written, and written
		const fit = queueBytes / 1000
		for range fit + 7 {
			if _, err := q.Write(line); err != nil {
				t.Fatal(err)
			}
		}
		if q.Dropped() != 7 {
			t.Errorf("%d lines are dropped, want 7", q.Dropped())
		}
		close(r.block)
		q.Close()
		if got := r.text.Len() / 1000; got != fit+1 {
			t.Errorf("%d lines are written, want %d", got, fit+1)
		}
	})
}

func TestVeryLongLineIsDropped(t *testing.T) {
	r := new(recorder)
	q := NewQueue(r)
	_, _ = q.Write(make([]byte, maxLine+1))
	_, _ = q.Write([]byte("short\n"))
	q.Close()
	if q.Dropped() != 1 || r.text.String() != "short\n" {
		t.Errorf("%d dropped, written %q", q.Dropped(), r.text.String())
	}
}

func TestWriteAllocatesNothing(t *testing.T) {
	q := &Queue{wake: make(chan struct{}, 1), lines: make([]byte, 0, queueBytes)} // nobody takes lines
	line := []byte(strings.Repeat("x", 400))
	if n := testing.AllocsPerRun(1000, func() { _, _ = q.Write(line) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
