//go:build !linux

package codecache

import "syscall"

// yield lowers this process's priority as far as every Unix can.
func yield() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19) }

// attributes put the child in a process group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
