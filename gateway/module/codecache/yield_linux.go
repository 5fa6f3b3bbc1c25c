package codecache

import (
	"os"
	"runtime/debug"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// memory is what a child may have, bytes: a Go module of 6 MB takes 140 MiB, and time bounds larger ones.
	memory = 2 << 30
	// ioprioIdle is the class of ioprio_set(2) whose reads and writes wait for everybody else's.
	ioprioIdle = 3 << 13
	// ioprioThread says that a thread is meant.
	ioprioThread = 1
)

// yield gives this process the least claim to everything. What the kernel does not let it do is left: it is then merely
// less polite.
func yield() {
	debug.SetMemoryLimit(memory / 2)
	_ = unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: memory, Max: memory})
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
	policy := unix.SCHED_IDLE
	if os.Getenv(EnvNice) != "" {
		policy = unix.SCHED_BATCH
	}
	seen := map[int]bool{}
	for again := true; again; { // threads inherit it; one may have been made just before its maker got it
		again = false
		threads, _ := os.ReadDir("/proc/self/task")
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil || seen[id] {
				continue
			}
			seen[id], again = true, true
			_ = unix.SchedSetAttr(id, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: uint32(policy), Nice: 19}, 0)
			_ = unix.Setpriority(unix.PRIO_PROCESS, id, 19)
			_, _, _ = unix.Syscall(unix.SYS_IOPRIO_SET, ioprioThread, uintptr(id), ioprioIdle)
		}
	}
}

// attributes put the child in a process group of its own and end it with the gateway.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
