// Command access measures what it costs to know who asks and what they may do. README.md says how to read it.
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
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// limit bounds a whole run; most of it is for loading a platform into etcd.
const limit = 20 * time.Minute

// options are the flags.
type options struct {
	bin, work, results, only string
	stack                    bool
	scale                    size
	connections              int
}

// scenario is one thing that is measured.
type scenario struct {
	name, about string
	run         func(context.Context, options) ([]rig.Figure, error)
	stack       bool // only with --stack
}

var scenarios = []scenario{
	{name: "decision", about: "may they: a decision with 10, 5,000 and 100,000 bindings, read by the gateway's own stores", run: decisions},
	{name: "memory", about: "what users, namespaces and bindings take in memory, with the index", run: memory},
	{name: "bearer", about: "who asks: a bearer token", run: bearer},
	{name: "update", about: "how soon a changed binding is in force among 100,000", run: updates},
	{name: "start", about: "a gateway in front of a platform of a stand-in for kube-apiserver", run: startAlone},
	{name: "stack", about: "a gateway in front of the same platform in a real kube-apiserver and etcd", run: startOnStack, stack: true},
}

// A child is killed with the thread that started it, so all are started by the main thread, which lasts.
func init() { runtime.LockOSThread() }

func main() {
	testing.Init()
	var o options
	flag.StringVar(&o.bin, "bin", ".postern/bin", "folder of postern and stack")
	flag.StringVar(&o.work, "work", ".postern/bench-access", "folder for configurations and logs; emptied at the start")
	flag.StringVar(&o.results, "results", "bench/results", "folder of access.md and access.json; they are written when all scenarios have run")
	flag.StringVar(&o.only, "only", "", "run only these scenarios, separated by commas")
	flag.BoolVar(&o.stack, "stack", false, "load the platform into a real kube-apiserver, too, which takes minutes")
	flag.IntVar(&o.scale.users, "users", 10_000, "users of the platform in front of which a gateway starts")
	flag.IntVar(&o.scale.namespaces, "namespaces", 5_000, "its namespaces")
	flag.IntVar(&o.scale.bindings, "bindings", 50_000, "its bindings")
	flag.IntVar(&o.connections, "connections", 64, "requests at once while it is loaded")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "access:", err)
		os.Exit(1)
	}
}

// run runs the scenarios one after the other and writes the results.
func run(ctx context.Context, o options) (err error) {
	for _, folder := range []*string{&o.bin, &o.work, &o.results} {
		if *folder, err = filepath.Abs(*folder); err != nil {
			return err
		}
	}
	if o.scale.users < 1 || o.scale.namespaces < 1 || o.connections < 1 {
		return errors.New("there must be a user, a namespace and a connection")
	}
	chosen, err := choose(o.only, o.stack)
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(o.work), os.MkdirAll(o.work, 0o700)); err != nil {
		return err
	}
	report := rig.Report{Title: "Access: what it costs to know who asks, and whether they may", Machine: rig.ReadMachine(map[string]string{})}
	for _, s := range chosen {
		start := time.Now()
		fmt.Fprintf(os.Stderr, "%s: %s …\n", s.name, s.about)
		figures, err := s.run(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		report.Scenarios = append(report.Scenarios, rig.Result{Name: s.name, About: s.about, Seconds: time.Since(start).Seconds(), Figures: figures})
		for _, f := range figures {
			fmt.Fprintln(os.Stderr, "  "+f.Text())
		}
	}
	report.Machine.LoadEnd = rig.LoadAverage()
	if o.only != "" { // a part must not replace the whole
		return report.Print(os.Stdout)
	}
	return report.Write(o.results, "access", os.Stdout)
}

// choose finds the scenarios of the flag; all when it is empty, those that need the stack only with it.
func choose(only string, stack bool) ([]scenario, error) {
	var chosen []scenario
	if only == "" {
		for _, s := range scenarios {
			if stack || !s.stack {
				chosen = append(chosen, s)
			}
		}
		return chosen, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no scenario %q", name)
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}
