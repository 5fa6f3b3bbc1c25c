// Package stack runs the real thing on one machine: a Kubernetes control plane with fake nodes, metrics, Prometheus and,
// unless told otherwise, the gateway in front of it.
package stack

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/posternhq/postern/bench/stack/components"
)

// Options say what to run and where.
type Options struct {
	Root       string    // of the repository; empty: found upwards from the working folder
	Dir        string    // state of the stack; empty: .postern/run in Root, with Kubeconfig .postern/given
	Kubeconfig string    // a cluster to use instead of one of our own
	Prometheus string    // URL of Prometheus, for a cluster that is not our own; empty: none
	Edge       string    // URL for kubeedge.endpoint of the gateway's configuration; empty: none
	NoGateway  bool      // leave the gateway out
	ReadyFile  string    // where to write what is running, as JSON, once it is ready; empty: nowhere
	Out        io.Writer // progress and, at the end, how to use it
}

// complete fills in the defaults and makes the paths absolute: children run in other folders.
func (o *Options) complete() error {
	if o.Root == "" {
		root, err := findRoot()
		if err != nil {
			return err
		}
		o.Root = root
	}
	if o.Dir == "" {
		o.Dir = filepath.Join(o.Root, ".postern", "run")
		if o.Kubeconfig != "" { // its users and ports are not those of our own cluster
			o.Dir = filepath.Join(o.Root, ".postern", "given")
		}
	}
	for _, path := range []*string{&o.Root, &o.Dir, &o.ReadyFile, &o.Kubeconfig} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("cannot make %q absolute: %w", *path, err)
		}
		*path = absolute
	}
	return nil
}

// findRoot looks upwards for the folder that holds bench/stack.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("cannot find the repository: %w", err)
	}
	for start := dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "bench", "stack", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("cannot find the repository above %q", start)
		}
	}
}

// env is the components' view of the options.
func (o *Options) env() components.Env {
	return components.Env{Root: o.Root, Bin: filepath.Join(o.Root, ".postern", "bin"), Dir: o.Dir, Ports: map[string]int{}}
}

// console prints progress lines with the time since the start.
type console struct {
	out   io.Writer
	start time.Time
}

// Say prints one line. Lines are short: one write each, so that those of several goroutines do not mix.
func (c *console) Say(format string, args ...any) {
	elapsed := time.Since(c.start).Seconds()
	_, _ = io.WriteString(c.out, fmt.Sprintf("[%5.1fs] ", elapsed)+fmt.Sprintf(format, args...)+"\n")
}
