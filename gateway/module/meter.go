package module

import (
	"runtime"
	"time"
)

// meter measures the CPU of one entry into a guest. On a busy machine a guest may be inside for long without having run
// for long, so the wall clock only says when it is worth asking the thread's own clock, which is a system call.
type meter struct {
	limit time.Duration
	began time.Duration // of the thread's CPU time
	until time.Time     // before this, the limit cannot have been used up
}

// begin starts an entry. The goroutine stays on its thread until end, so that the thread's time is the guest's.
func (m *meter) begin(limit time.Duration) {
	runtime.LockOSThread()
	m.limit, m.began, m.until = limit, threadTime(), time.Now().Add(limit)
}

// over says whether the entry has used its limit of CPU.
func (m *meter) over() bool {
	now := time.Now()
	if now.Before(m.until) {
		return false
	}
	left := m.limit - (threadTime() - m.began)
	m.until = now.Add(left)
	return left <= 0
}

// end ends the entry and is the CPU it took.
func (m *meter) end() time.Duration {
	used := threadTime() - m.began
	runtime.UnlockOSThread()
	return used
}
