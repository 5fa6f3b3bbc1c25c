//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPasswordFromATerminal types name and password into a terminal, which shows the name and not the password.
func TestPasswordFromATerminal(t *testing.T) {
	g := newFakeGateway(t)
	ours, theirs := openPTY(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asProgram, "1")
	cmd := exec.Command(self, "login", g.URL, "--ca", g.path("ca.crt"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs, theirs, theirs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	shown := ""
	see := func(what string) {
		t.Helper()
		if err := ours.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		for part := make([]byte, 1024); !strings.Contains(shown, what); {
			n, err := ours.Read(part)
			shown += string(part[:n])
			if err != nil {
				t.Fatalf("the terminal shows %q, %v", shown, err)
			}
		}
	}
	typed := func(text string) {
		t.Helper()
		if _, err := ours.WriteString(text + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	see("User at " + g.URL + ": ")
	typed("alice")
	see("Password of alice: ")
	for deadline := time.Now().Add(30 * time.Second); echoes(t, theirs); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the terminal would show the password")
		}
	}
	typed("s3cret & more")
	see("Logged in to " + g.URL + " as alice.")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(shown, "s3cret") || !strings.Contains(shown, "alice") || !echoes(t, theirs) {
		t.Errorf("the terminal shows %q", shown)
	}
	if l := g.kept(); l == nil || l.Access != "access-1" {
		t.Errorf("kept %+v", l)
	}
}

// openPTY is a terminal: what people see and type, and the program's end.
func openPTY(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ours.SyscallConn() // Fd would make it blocking, and without deadlines
	if err != nil {
		t.Fatal(err)
	}
	number, failed := 0, error(nil)
	if err := raw.Control(func(fd uintptr) {
		if failed = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); failed == nil {
			number, failed = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); err != nil || failed != nil {
		t.Fatal(err, failed)
	}
	theirs, err = os.OpenFile(fmt.Sprint("/dev/pts/", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = theirs.Close()
		_ = ours.Close()
	})
	return ours, theirs
}

// echoes says whether a terminal shows what is typed.
func echoes(t *testing.T, f *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}
