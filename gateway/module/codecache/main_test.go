package codecache

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// TestMain makes this program the child as well, good and bad.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && strings.HasPrefix(os.Args[1], "child-") {
		os.Exit(child(os.Args[1], os.Args[2]))
	}
	goleak.VerifyTestMain(m)
}

func child(how, dir string) int {
	switch how {
	case "child-compiles":
		if err := Main(context.Background(), dir, os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, "error:", err)
			return 1
		}
	case "child-crashes":
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "child-hangs": // says who it is, and does not end by itself
		_ = os.WriteFile(filepath.Join(dir, "..", "pid"), fmt.Append(nil, os.Getpid()), 0o600)
		select {}
	case "child-tells": // what the system makes of it
		yield()
		fmt.Fprint(os.Stderr, priorities(), strings.Repeat("x", 1<<20))
		return 1
	case "child-is-patient": // hangs unless it may take its turn
		if os.Getenv(EnvNice) == "" {
			time.Sleep(time.Hour)
		}
		return child("child-compiles", dir)
	}
	return 0
}

// priorities are those of all threads, and what else yield sets.
func priorities() string {
	var all strings.Builder
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		var id int
		_, _ = fmt.Sscan(t.Name(), &id)
		attr, err := unix.SchedGetAttr(id, 0)
		fmt.Fprintln(&all, attr.Policy, attr.Nice, err)
	}
	score, _ := os.ReadFile("/proc/self/oom_score_adj")
	fmt.Fprintf(&all, "oom %senvironment %q group %t\n", score, os.Environ(), syscall.Getpgrp() == os.Getpid())
	return all.String()
}
