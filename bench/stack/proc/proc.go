// Package proc starts the stack's processes, watches them and stops them by process id.
package proc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Grace is how long a process may take to end after SIGTERM before it gets SIGKILL. Most take half a second; kube-apiserver
// now and then waits longer for its last connection, and etcd inside it survives a kill (what it wrote is in the page cache).
const Grace = 4 * time.Second

// Spec says what to run.
type Spec struct {
	Name string   // of the log file, and in messages
	Path string   // executable
	Args []string // without the executable's name
	Env  []string // KEY=VALUE; nil: the supervisor's own environment
	Dir  string   // working folder; empty: the supervisor's own
	Wave int      // when Stop ends it: the highest wave first, those of one wave at once
}

// Process is a running child.
type Process struct {
	Name string
	PID  int
	Log  string // path of its stdout and stderr

	wave int
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended; err is set before
	err  error
}

// Group owns the processes of one stack. Its methods may be called from several goroutines.
type Group struct {
	logs   string
	starts chan func()
	closed chan struct{} // closed at the end of Stop
	ended  chan *Process

	mu        sync.Mutex
	processes []*Process
	stopping  bool
}

// NewGroup makes a group that writes NAME.log files into the folder logs. Stop releases what it holds.
func NewGroup(logs string) *Group {
	g := &Group{logs: logs, starts: make(chan func()), closed: make(chan struct{}), ended: make(chan *Process, 1)}
	go g.fork()
	return g
}

// fork runs all starts on one thread that lives as long as the supervisor: Linux ties PDEATHSIG to the thread that forked,
// not to its process, so a child started from a thread that the runtime ends later would be killed with it.
func (g *Group) fork() {
	runtime.LockOSThread()
	for {
		select {
		case start := <-g.starts:
			start()
		case <-g.closed:
			return // still locked, so the thread ends too, and with it whatever it left
		}
	}
}

func (g *Group) startOnThread(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	result := make(chan error, 1)
	select {
	case g.starts <- func() { result <- cmd.Start() }:
		return <-result
	case <-g.closed:
		return errors.New("the stack has stopped")
	}
}

// Start runs a daemon. Should it end before Stop, it appears on Ended.
func (g *Group) Start(s Spec) (*Process, error) {
	p := &Process{Name: s.Name, wave: s.Wave, Log: filepath.Join(g.logs, s.Name+".log"), done: make(chan struct{})}
	log, err := os.Create(p.Log)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", s.Name, err)
	}
	defer log.Close() // the child has its own copy
	p.cmd = exec.Command(s.Path, s.Args...)
	p.cmd.Env, p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.Env, s.Dir, log, log

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return nil, fmt.Errorf("cannot start %s: the stack is stopping", s.Name)
	}
	if err := g.startOnThread(p.cmd); err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", s.Name, err)
	}
	p.PID = p.cmd.Process.Pid
	g.processes = append(g.processes, p)
	go g.wait(p)
	return p, nil
}

func (g *Group) wait(p *Process) {
	p.err = p.cmd.Wait()
	close(p.done)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stopping {
		return
	}
	select {
	case g.ended <- p:
	default: // one unexpected end is enough to stop the stack
	}
}

// Run runs a command to its end, with its output appended to out as well as to NAME.log. It is killed with its
// whole process group when ctx ends.
func (g *Group) Run(ctx context.Context, s Spec, out io.Writer) error {
	log, err := os.Create(filepath.Join(g.logs, s.Name+".log"))
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", s.Name, err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, s.Path, s.Args...)
	both := io.MultiWriter(log, out)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = s.Env, s.Dir, both, both
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a grandchild that kept the pipe open must not hold us
	if err := g.startOnThread(cmd); err != nil {
		return fmt.Errorf("cannot run %s: %w", s.Name, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("cannot run %s: %w\n%s", s.Name, err, Tail(log.Name(), 20))
	}
	return nil
}

// Ended delivers the first process that ended without being asked to.
func (g *Group) Ended() <-chan *Process { return g.ended }

// Processes lists what is running, in the order of its start.
func (g *Group) Processes() []*Process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]*Process(nil), g.processes...)
}

// Stop ends all processes, wave by wave: clients before their servers. Nothing can be started afterwards. It may be called
// once.
func (g *Group) Stop() error {
	g.mu.Lock()
	g.stopping = true
	waves := map[int][]*Process{}
	for _, p := range g.processes {
		waves[p.wave] = append(waves[p.wave], p)
	}
	g.processes = nil
	g.mu.Unlock()

	var errs []error
	for _, wave := range slices.Backward(slices.Sorted(maps.Keys(waves))) {
		errs = append(errs, stopAll(waves[wave]))
	}
	close(g.closed)
	return errors.Join(errs...)
}

// stopAll stops processes at the same time.
func stopAll(processes []*Process) error {
	errs := make([]error, len(processes))
	var all sync.WaitGroup
	for i, p := range processes {
		all.Go(func() { errs[i] = p.stop(Grace) })
	}
	all.Wait()
	return errors.Join(errs...)
}

func (p *Process) stop(grace time.Duration) error {
	_ = syscall.Kill(p.PID, syscall.SIGTERM) // already gone is fine
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-p.done:
		_ = syscall.Kill(-p.PID, syscall.SIGKILL) // what it may have left in its process group
		return nil
	case <-timer.C:
	}
	_ = syscall.Kill(-p.PID, syscall.SIGKILL)
	<-p.done
	return fmt.Errorf("cannot stop %s (process %d) within %v: killed", p.Name, p.PID, grace)
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Failure describes the end of a process, with the last lines of its log. Only valid after Done.
func (p *Process) Failure() error {
	reason := "ended"
	if p.err != nil {
		reason = p.err.Error()
	}
	return fmt.Errorf("%s (process %d): %s; the end of %s:\n%s", p.Name, p.PID, reason, p.Log, Tail(p.Log, 20))
}

// tailBytes bounds what Tail reads from the end of a log.
const tailBytes = 16 << 10

// Tail is the last n lines of the file at path, at most 16 KiB of them.
func Tail(path string, n int) string {
	file, err := os.Open(path)
	if err != nil {
		return err.Error()
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > tailBytes {
		_, _ = file.Seek(-tailBytes, io.SeekEnd)
	}
	data, err := io.ReadAll(io.LimitReader(file, tailBytes))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return "    " + strings.Join(lines, "\n    ")
}
