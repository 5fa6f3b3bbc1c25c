// Package e2e drives the whole gateway, as `make run` starts it, in front of a real Kubernetes API: with kubectl, with raw
// HTTP, with modules that come and go. One stack serves all tests of the package.
package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// stack is what the ready-file of the development stack says: see bench/stack, type Ready.
var stack struct {
	Dir, Bin    string
	Root        string `json:"-"`
	PID         int
	PIDs        map[string]int
	Logs        map[string]string
	URLs        map[string]string
	CAFile      string
	Kubeconfigs map[string]string
	Config      string
	Users       []struct{ Name, Password string }
}

// startLimit bounds the start of the stack, with everything built: seconds in practice. A cold build of the control plane
// is done by the Makefile before the tests.
const startLimit = 10 * time.Minute

func TestMain(m *testing.M) {
	code, err := withStack(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "cannot run the end-to-end tests:", err)
		code = 1
	}
	os.Exit(code)
}

// withStack starts the stack, runs the tests, and stops it by process id.
func withStack(run func() int) (int, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	stack.Root = root
	dir, err := os.MkdirTemp("", "postern-e2e-*")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	edge, err := startEdgeWatcher()
	if err != nil {
		return 1, err
	}
	ready := filepath.Join(dir, "ready.json")
	supervisor := exec.Command(filepath.Join(root, ".postern", "bin", "stack"), "up", "--dir", filepath.Join(dir, "run"),
		"--ready-file", ready, "--edge", edge)
	supervisor.Dir = root
	supervisor.Stdout, supervisor.Stderr = os.Stderr, os.Stderr
	// Should the tests be killed, the supervisor must not outlive them.
	supervisor.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := supervisor.Start(); err != nil {
		return 1, fmt.Errorf("%w: build it with `make stack`", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = supervisor.Wait() // it has said why
		close(ended)
	}()
	if err := waitReady(ready, ended); err != nil {
		_ = supervisor.Process.Signal(syscall.SIGTERM)
		<-ended
		return 1, err
	}
	code := run()
	if err := supervisor.Process.Signal(syscall.SIGTERM); err != nil {
		return 1, fmt.Errorf("cannot stop the stack: %w", err)
	}
	select {
	case <-ended:
		return code, nil
	case <-time.After(time.Minute):
		_ = supervisor.Process.Kill()
		return 1, fmt.Errorf("the stack did not stop within a minute")
	}
}

func waitReady(file string, ended <-chan struct{}) error {
	for end := time.Now().Add(startLimit); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		select {
		case <-ended:
			return errors.New("the stack ended before it was ready")
		default:
		}
		b, err := os.ReadFile(file)
		if err == nil {
			return json.Unmarshal(b, &stack)
		}
	}
	return fmt.Errorf("the stack was not ready after %s", startLimit)
}

// kubectl runs the real kubectl with a kubeconfig of the stack, by its name there, for at most a minute.
func kubectl(t *testing.T, kubeconfig string, args ...string) string {
	t.Helper()
	out, err := tryKubectl(t, kubeconfig, nil, args...)
	if err != nil {
		t.Errorf("kubectl %v with %s: %v\n%s", args, kubeconfig, err, out)
	}
	return out
}

// tryKubectl is kubectl with standard input and an error.
func tryKubectl(t *testing.T, kubeconfig string, in io.Reader, args ...string) (string, error) {
	t.Helper()
	// Not the test's context: a cleanup runs after that has ended.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := kubectlCommand(ctx, kubeconfig, args...)
	cmd.Stdin = in
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func kubectlCommand(ctx context.Context, kubeconfig string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(stack.Bin, "kubectl"), args...)
	cmd.Env = []string{"KUBECONFIG=" + stack.Kubeconfigs[kubeconfig], "HOME=" + stack.Dir, "PATH=" + os.Getenv("PATH")}
	for _, name := range []string{"KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "KUBECTL_PORT_FORWARD_WEBSOCKETS"} {
		if value, ok := os.LookupEnv(name); ok { // a test has set it
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}
