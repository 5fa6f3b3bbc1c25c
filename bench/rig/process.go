// Package rig is what the benchmarks have in common: processes and what they use, ports, certificates, the machine's facts.
package rig

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// grace is how long a process has to end after SIGTERM.
const grace = 15 * time.Second

// Process is a child in a process group of its own.
type Process struct {
	name string
	PID  int
	Log  string // path of what it writes to stderr, and to stdout unless that is read
	Done chan struct{}
	err  error // valid after done
}

// Start runs a program. out takes its standard output; nil: it goes into the log.
func Start(dir, name string, env []string, out io.Writer, path string, args ...string) (*Process, error) {
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	cmd := exec.Command(path, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = env, log, log
	if out != nil {
		cmd.Stdout = out
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	p := &Process{name: name, PID: cmd.Process.Pid, Log: log.Name(), Done: make(chan struct{})}
	go func() {
		p.err = cmd.Wait()
		close(p.Done)
	}()
	return p, nil
}

// Ended is an error once the process has ended, with the end of its log.
func (p *Process) Ended() error {
	select {
	case <-p.Done:
		return fmt.Errorf("%s ended: %w\n%s", p.name, errors.Join(p.err, errEnded), Tail(p.Log))
	default:
		return nil
	}
}

var errEnded = errors.New("it should go on")

// Stop ends the process and all others of its group.
func (p *Process) Stop() {
	_ = syscall.Kill(p.PID, syscall.SIGTERM) // already gone is fine
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.Done:
	case <-timer.C:
	}
	_ = syscall.Kill(-p.PID, syscall.SIGKILL)
	<-p.Done
}

// Tail is the last two kilobytes of a file.
func Tail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	const most = 2 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	text, _ := io.ReadAll(io.LimitReader(f, most)) // what can be read is what can be said
	return string(text)
}
