package fuel

import (
	"syscall"
	"unsafe"
)

// threadTime is the CPU time of the thread in nanoseconds, which foreign load disturbs less than the clock does. The
// caller is locked to its thread.
func threadTime() int64 {
	const clockThreadCPU = 3
	var t syscall.Timespec
	syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}
