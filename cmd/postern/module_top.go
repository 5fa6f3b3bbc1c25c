package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/posternhq/postern/gateway/module/manager"
)

// usage is how one module does, between two looks. Its keys are what `module top -o json` prints: a contract.
type usage struct {
	Module            string        `json:"module"`
	State             manager.State `json:"state"`
	Digest            string        `json:"digest,omitempty"`
	RequestsPerSecond float64       `json:"requestsPerSecond"`
	ErrorsPerSecond   float64       `json:"errorsPerSecond"`
	P50               float64       `json:"p50"` // seconds, since the version was loaded
	P99               float64       `json:"p99"`
	CPU               float64       `json:"cpu"` // cores
	MemoryBytes       int64         `json:"memoryBytes"`
	Instances         int64         `json:"instances"`
	InFlight          int           `json:"inFlight"`
}

// orders are what the table can be sorted by; the most comes first, names from a to z.
var orders = map[string]func(a, b *usage) int{
	"name":     func(a, b *usage) int { return strings.Compare(a.Module, b.Module) },
	"requests": func(a, b *usage) int { return cmp.Compare(b.RequestsPerSecond, a.RequestsPerSecond) },
	"errors":   func(a, b *usage) int { return cmp.Compare(b.ErrorsPerSecond, a.ErrorsPerSecond) },
	"cpu":      func(a, b *usage) int { return cmp.Compare(b.CPU, a.CPU) },
	"memory":   func(a, b *usage) int { return cmp.Compare(b.MemoryBytes, a.MemoryBytes) },
	"latency":  func(a, b *usage) int { return cmp.Compare(b.P99, a.P99) },
}

func newModuleTopCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "top",
		Short: "Watch how the modules of a running gateway do",
		Long: "Print a table of modules that is renewed until Ctrl-C: requests a second, latency, CPU, memory, requests in flight.\n" +
			"Without a terminal, tables follow each other. With --once, one table is printed, of the first interval.",
		Example: "  postern module top\n  postern module top --sort cpu --interval 5s\n  postern module top --once -o json",
		Args:    cobra.NoArgs,
	}
	client, output := adminFlags(command), outputFlag(command, "text", "text or json")
	once := command.Flags().Bool("once", false, "print one table and end")
	interval := command.Flags().Duration("interval", 2*time.Second, "between two tables, at least 100ms")
	order := command.Flags().String("sort", "requests", "requests, errors, latency, cpu, memory or name")
	command.RunE = func(command *cobra.Command, _ []string) error {
		compare, ok := orders[*order]
		switch {
		case !ok:
			return fmt.Errorf("unknown order %q: want requests, errors, latency, cpu, memory or name", *order)
		case *output != "text" && *output != "json":
			return fmt.Errorf("unknown output %q: want text or json", *output)
		case *interval < 100*time.Millisecond:
			return fmt.Errorf("an interval of %s is too short: at least 100ms", *interval)
		}
		t := &top{client: client, compare: compare, json: *output == "json", out: command.OutOrStdout()}
		return t.run(command.Context(), *interval, *once)
	}
	return command
}

// top prints tables.
type top struct {
	client  *adminClient
	compare func(a, b *usage) int
	json    bool
	out     io.Writer
}

// run prints a table after each interval; it ends without an error when ctx does.
func (t *top) run(ctx context.Context, interval time.Duration, once bool) error {
	before, began, err := t.look(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, at, err := t.look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.print(compareUsage(before, now, at.Sub(began))); err != nil || once {
			return err
		}
		before, began = now, at
	}
}

func (t *top) look(ctx context.Context) ([]manager.Status, time.Time, error) {
	all, err := t.client.list(ctx)
	return all, time.Now(), err
}

// compareUsage is what modules did between two looks. A version that was loaded in between counts from nothing.
func compareUsage(before, now []manager.Status, took time.Duration) []*usage {
	earlier := map[string]*manager.Status{}
	for i := range before {
		earlier[before[i].File+before[i].Digest+before[i].Loaded.String()] = &before[i]
	}
	var all []*usage
	for i := range now {
		n := &now[i]
		b := earlier[n.File+n.Digest+n.Loaded.String()]
		if b == nil {
			b = new(manager.Status)
		}
		per := func(now, before int64) float64 { return float64(max(0, now-before)) / took.Seconds() }
		all = append(all, &usage{
			Module: n.Module, State: n.State, Digest: n.Digest,
			RequestsPerSecond: per(n.Requests, b.Requests), ErrorsPerSecond: per(n.Failures, b.Failures),
			P50: n.Latency.P50, P99: n.Latency.P99, CPU: per(n.GuestNanoseconds, b.GuestNanoseconds) / 1e9,
			MemoryBytes: n.Memory, Instances: n.Instances, InFlight: n.InFlight,
		})
	}
	return all
}

// print writes a table; on a terminal in the place of the one before.
func (t *top) print(all []*usage) error {
	slices.SortStableFunc(all, t.compare)
	if t.json {
		if all == nil {
			all = []*usage{}
		}
		b, err := json.Marshal(all)
		if err != nil {
			return failure{err}
		}
		return write(t.out, append(b, '\n'))
	}
	var b strings.Builder
	if terminal(t.out) {
		b.WriteString("\x1b[H\x1b[2J") // home, and clear
	}
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "MODULE\tSTATE\tREQ/S\tERR/S\tP50\tP99\tCPU\tMEMORY\tINSTANCES\tIN FLIGHT\tDIGEST")
	for _, u := range all {
		fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%s\t%s\t%.1f%%\t%s\t%d\t%d\t%.12s\n", u.Module, u.State, u.RequestsPerSecond, u.ErrorsPerSecond,
			milliseconds(u.P50), milliseconds(u.P99), 100*u.CPU, bytesOf(u.MemoryBytes), u.Instances, u.InFlight, u.Digest)
	}
	if err := w.Flush(); err != nil {
		return failure{err}
	}
	return write(t.out, []byte(b.String()))
}

// terminal says whether somebody looks at what is written.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
