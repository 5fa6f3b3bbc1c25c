//go:build !linux

package module

import "time"

var processStart = time.Now()

// threadTime is the time since the process began: without a thread's own clock, waiting for a core counts as running.
func threadTime() time.Duration { return time.Since(processStart) }
