// Command passthrough measures what it costs to hand a request on: Postern with its whole chain against nginx, HAProxy and
// net/http's ReverseProxy, one after the other under the same load, several rounds. README.md says how to read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// limit bounds a whole run. With the real stack it takes some five minutes.
const limit = 6 * time.Minute

// options are the flags.
type options struct {
	bin, work, results string
	rounds             int
	duration, warm     time.Duration
	connections        int
	stack, peerLogs    bool
	profile            string
}

// A child is killed with the thread that started it, so all are started by the main thread, which lasts.
func init() { runtime.LockOSThread() }

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", ".postern/bin", "folder of postern, stack and passthrough/")
	flag.StringVar(&o.work, "work", ".postern/bench", "folder for configurations, logs and certificates; emptied at the start")
	flag.StringVar(&o.results, "results", "bench/results", "folder of passthrough.md and passthrough.json")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds; in each, every target is measured once")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "load on one target in one round")
	flag.DurationVar(&o.warm, "warm", time.Second, "load before it that is not measured")
	flag.IntVar(&o.connections, "connections", 64, "connections of the load generator, each with one request at a time")
	flag.BoolVar(&o.stack, "stack", false, "measure in front of a real kube-apiserver, too (needs `make deps`)")
	flag.BoolVar(&o.peerLogs, "peer-logs", false, "nginx and HAProxy write an access log, too")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of Postern under the load to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "passthrough:", err)
		os.Exit(1)
	}
}

// run measures everything and writes the results.
func run(ctx context.Context, o options) (err error) {
	for _, folder := range []*string{&o.bin, &o.work, &o.results} {
		if *folder, err = filepath.Abs(*folder); err != nil {
			return err
		}
	}
	if err := errors.Join(os.RemoveAll(o.work), os.MkdirAll(filepath.Join(o.work, "modules"), 0o700)); err != nil {
		return err
	}
	tools, err := findTools(ctx, filepath.Join(filepath.Dir(o.bin), "apt", "bench"))
	if err != nil {
		return err
	}
	m := &measurer{options: o, tools: tools}
	report := Report{Machine: rig.ReadMachine(tools.versions(ctx)), Options: describe(o)}
	for _, start := range scenarios(o) {
		s, err := m.scenario(ctx, start)
		if err != nil {
			return err
		}
		report.Scenarios = append(report.Scenarios, *s)
	}
	report.Machine.LoadEnd = rig.LoadAverage()
	return report.write(o.results, os.Stdout)
}

// scenarios are the backends, cheapest first.
func scenarios(o options) []starter {
	all := []starter{plainBackend, tlsBackend}
	if o.stack {
		all = append(all, kubeAPIServer)
	}
	return all
}
