package codecache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// add is a module with one function, i32.add of its arguments.
var add = []byte("\x00asm\x01\x00\x00\x00\x01\x07\x01\x60\x02\x7f\x7f\x01\x7f\x03\x02\x01\x00\x07\x07\x01\x03add\x00\x00\x0a\x09\x01\x07\x00\x20\x00\x20\x01\x6a\x0b")

// apart is this test program as a child.
func apart(t testing.TB, how string) Child {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Child{Program: program, Args: []string{"child-" + how}}
}

func TestChildFillsTheStore(t *testing.T) {
	for _, how := range []string{"compiles", "is-patient"} {
		s := open(t, 0)
		c := apart(t, how)
		if how == "is-patient" {
			c.Idle = 50 * time.Millisecond
		}
		if err := s.Fill(t.Context(), add, c.Compile); err != nil {
			t.Fatal(err)
		}
		if !s.Find(KeyOf(add)) {
			t.Errorf("%s: not in the store", how)
		}
		if left, _ := filepath.Glob(filepath.Join(s.Dir(), "new-*")); len(left) > 0 {
			t.Errorf("%s: %q is left over", how, left)
		}
	}
}

func TestChildsFailuresAreErrors(t *testing.T) {
	s := open(t, 0)
	for how, want := range map[string]string{"compiles": "invalid", "crashes": "killed", "does nothing": "made 0 files"} {
		err := s.Fill(t.Context(), []byte("not a module"), apart(t, how).Compile)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q in it", how, err, want)
		}
	}
	if err := s.Fill(t.Context(), add, Child{Program: filepath.Join(t.TempDir(), "none")}.Compile); err == nil {
		t.Error("a program that is not there compiles")
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir(), "new-*")); len(left) > 0 {
		t.Errorf("%q is left over", left)
	}
}

// TestChildEndsWithItsContext has a load given up while the child is at work.
func TestChildEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s, ended := open(t, 0), make(chan error, 1)
	go func() { ended <- s.Fill(ctx, add, apart(t, "hangs").Compile) }()
	var pid int
	for pid == 0 {
		text, _ := os.ReadFile(filepath.Join(s.Dir(), "pid"))
		pid, _ = strconv.Atoi(string(text))
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want a cancellation", err)
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child is still there: %v", err)
	}
}

// TestChildYields looks at what the system gives the child, all threads of it, and at what it is told.
func TestChildYields(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Logf("nothing to see on %s", runtime.GOOS)
		return
	}
	err := apart(t, "tells").Compile(t.Context(), t.TempDir(), nil)
	text, rest, _ := strings.Cut(err.Error(), "oom ")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		if line != "5 19 <nil>" { // SCHED_IDLE, nice
			t.Errorf("a thread has policy, niceness %q", line)
		}
	}
	if want := "1000\nenvironment [\"GOMAXPROCS=1\"] group true\n"; !strings.HasPrefix(rest, want) {
		t.Errorf("got %.200q, want %q", rest, want)
	}
	if len(err.Error()) > 3<<10 {
		t.Errorf("the error has %d bytes", len(err.Error()))
	}
}
