package proc

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second // for what takes milliseconds

func newGroup(t *testing.T) *Group {
	t.Helper()
	return NewGroup(t.TempDir())
}

// started waits until the shell script of p has printed "up".
func started(t *testing.T, p *Process) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if data, err := os.ReadFile(p.Log); err == nil && strings.Contains(string(data), "up") {
			return
		}
	}
	t.Fatalf("%s did not start: %s", p.Name, Tail(p.Log, 5))
}

func shell(name, script string) Spec {
	return Spec{Name: name, Path: "/bin/sh", Args: []string{"-c", script}}
}

func TestStopEndsWaveByWave(t *testing.T) {
	g := newGroup(t)
	order := filepath.Join(t.TempDir(), "order")
	for wave, name := range []string{"server", "client"} {
		s := shell(name, `trap 'echo `+name+` >> `+order+`; exit 0' TERM; echo up; while :; do sleep 0.05; done`)
		s.Wave = wave
		p, err := g.Start(s)
		if err != nil {
			t.Fatal(err)
		}
		started(t, p)
	}
	if err := g.Stop(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(order)
	if err != nil || string(data) != "client\nserver\n" {
		t.Errorf("stopped in the order %q (%v)", data, err)
	}
	if _, err := g.Start(shell("late", "true")); err == nil {
		t.Error("a stopped group starts processes")
	}
}

func TestStopKillsWhatDoesNotEnd(t *testing.T) {
	g := newGroup(t)
	p, err := g.Start(shell("deaf", `trap '' TERM; echo up; while :; do sleep 0.05; done`))
	if err != nil {
		t.Fatal(err)
	}
	started(t, p)
	if err := p.stop(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v, want a word on the kill", err)
	}
	if err := syscall.Kill(p.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("process %d is still there: %v", p.PID, err)
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
}

func TestEndedTellsWhoAndWhy(t *testing.T) {
	g := newGroup(t)
	if _, err := g.Start(shell("broken", "echo the reason; exit 3")); err != nil {
		t.Fatal(err)
	}
	select {
	case p := <-g.Ended():
		if message := p.Failure().Error(); !strings.Contains(message, "exit status 3") || !strings.Contains(message, "the reason") {
			t.Errorf("got %q", message)
		}
	case <-time.After(patience):
		t.Error("nobody heard of it")
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
}

func TestRunIsKilledWithItsChildren(t *testing.T) {
	g := newGroup(t)
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	result := make(chan error, 1)
	go func() {
		result <- g.Run(ctx, shell("long", "sleep 600 & echo $!; wait"), writer)
		_ = writer.Close()
	}()
	line := make([]byte, 32)
	n, err := reader.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	cancel()
	if err := <-result; err == nil {
		t.Error("a cancelled run says nothing")
	}
	child := strings.TrimSpace(string(line[:n]))
	for end := time.Now().Add(patience); ; {
		if status, err := os.ReadFile("/proc/" + child + "/stat"); err != nil || strings.Contains(string(status), ") Z ") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("grandchild %s lives on", child)
		}
	}
	if err := g.Stop(); err != nil {
		t.Error(err)
	}
}

func TestTailIsShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(path, []byte(strings.Repeat("x", tailBytes)+"\none\ntwo\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := Tail(path, 2); got != "    one\n    two" {
		t.Errorf("got %q", got)
	}
}
