package codecache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Child starts a process that compiles; see Main.
type Child struct {
	Program string   // of this version of the gateway: the code must fit
	Args    []string // before the folder
	// Idle and Nice bound the two tries. The first has only the time that nobody else wants, so that it costs the traffic
	// nothing; on a machine whose cores are never idle it does not come to an end, and is made again with least priority.
	// 0: 20 s and 3 min.
	Idle, Nice time.Duration
}

// EnvNice tells a child that it may take its turn with others.
const EnvNice = "POSTERN_COMPILE_NICE"

// Compile is the Compile that has the child do it. The child's crash, or its end for want of memory, is an error.
func (c Child) Compile(ctx context.Context, dir string, wasm []byte) error {
	err := c.try(ctx, orDefault(c.Idle, 20*time.Second), "", dir, wasm)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		err = c.try(ctx, orDefault(c.Nice, 3*time.Minute), EnvNice+"=1", dir, wasm)
	}
	return err
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// try runs the child once, for at most so long.
func (c Child) try(ctx context.Context, most time.Duration, env, dir string, wasm []byte) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.Program, append(c.Args[:len(c.Args):len(c.Args)], dir)...)
	// Nothing of the gateway's environment, where secrets may be. One thread at a time: the other cores are the traffic's.
	cmd.Env = []string{"GOMAXPROCS=1"}
	if env != "" {
		cmd.Env = append(cmd.Env, env)
	}
	var says bounded
	cmd.Stdin, cmd.Stderr = bytes.NewReader(wasm), &says
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := onOwnThread(cmd.Run)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("the compiler did not end within %v: %w", most, ctx.Err())
	}
	if text := strings.TrimSpace(string(says.b)); text != "" {
		return fmt.Errorf("%s (%w)", text, err)
	}
	return fmt.Errorf("the compiler failed: %w", err)
}

// onOwnThread runs do on a thread that lasts as long: the kernel ends a child with the thread that started it.
func onOwnThread(do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- do()
	}()
	return <-done
}

// bounded keeps the first two kilobytes.
type bounded struct{ b []byte }

func (w *bounded) Write(p []byte) (int, error) {
	w.b = append(w.b, p[:min(len(p), 2<<10-len(w.b))]...)
	return len(p), nil
}
