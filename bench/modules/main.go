// Command modules measures what WebAssembly modules cost the gateway: a swap under load, memory, waking, starting.
// README.md says how to read it.
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
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// limit bounds a whole run.
const limit = 16 * time.Minute

// options are the flags.
type options struct {
	bin, work, results string
	only               string
	swapCount, soak    int
	rate               int
	quiet              time.Duration
}

// A child is killed with the thread that started it, so all are started by the main thread, which lasts.
func init() { runtime.LockOSThread() }

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", ".postern/bin", "folder of postern and passthrough/backend")
	flag.StringVar(&o.work, "work", ".postern/bench-modules", "folder for guests, configurations and logs; emptied at the start")
	flag.StringVar(&o.results, "results", "bench/results", "folder of modules.md and modules.json; they are written when all scenarios have run")
	flag.StringVar(&o.only, "only", "", "run only these scenarios, separated by commas")
	flag.IntVar(&o.swapCount, "swaps", 5, "swaps of each way of compiling")
	flag.IntVar(&o.soak, "soak", 1000, "swaps of the soak")
	flag.IntVar(&o.rate, "rate", 1000, "requests a second of passthrough while modules are swapped")
	flag.DurationVar(&o.quiet, "baseline", 8*time.Second, "passthrough without a swap, to compare with")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "modules:", err)
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
	chosen, err := choose(o.only)
	if err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(o.work), os.MkdirAll(o.work, 0o700)); err != nil {
		return err
	}
	b := &bench{options: o}
	report := rig.Report{Title: "Modules: what they cost the gateway", Machine: rig.ReadMachine(map[string]string{})}
	for _, s := range chosen {
		start := time.Now()
		fmt.Fprintf(os.Stderr, "%s: %s …\n", s.name, s.about)
		figures, err := b.scenario(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		took := time.Since(start)
		report.Scenarios = append(report.Scenarios, rig.Result{Name: s.name, About: s.about, Seconds: took.Seconds(), Figures: figures})
		for _, f := range figures {
			fmt.Fprintln(os.Stderr, "  "+f.Text())
		}
	}
	report.Machine.LoadEnd = rig.LoadAverage()
	if o.only != "" { // a part must not replace the whole
		return report.Print(os.Stdout)
	}
	return report.Write(o.results, "modules", os.Stdout)
}

// choose finds the scenarios of the flag; all when it is empty.
func choose(only string) ([]scenario, error) {
	if only == "" {
		return scenarios, nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(scenarios, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no scenario %q; there are %s", name, strings.Join(names(), ", "))
		}
		chosen = append(chosen, scenarios[i])
	}
	return chosen, nil
}
