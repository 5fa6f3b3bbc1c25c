package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// Report is a whole run.
type Report struct {
	Machine   rig.Machine `json:"machine"`
	Options   Options     `json:"options"`
	Scenarios []Scenario  `json:"scenarios"`
}

// Options are how it was made.
type Options struct {
	Rounds      int           `json:"rounds"`
	Duration    time.Duration `json:"durationNanoseconds"`
	Connections int           `json:"connections"`
	PeerLogs    bool          `json:"peerLogs"` // nginx and HAProxy wrote access logs, too
}

func describe(o options) Options {
	return Options{Rounds: o.rounds, Duration: o.duration, Connections: o.connections, PeerLogs: o.peerLogs}
}

// Spread is the middle of several rounds, and their extremes.
type Spread struct {
	Median float64 `json:"median"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
}

// Summary is one target over all rounds.
type Summary struct {
	CPU       Spread   `json:"cpuMicroseconds"`
	PerSecond Spread   `json:"requestsPerSecond"`
	P50       Spread   `json:"p50Milliseconds"`
	P99       Spread   `json:"p99Milliseconds"`
	RSS       Spread   `json:"rssMiB"`
	Allocs    *Spread  `json:"allocations,omitempty"`
	Rounds    []Sample `json:"rounds"`
}

// spread is the median, least and most of some values; of an even number, the upper of the two in the middle.
func spread(values []float64) Spread {
	v := slices.Sorted(slices.Values(values))
	return Spread{Median: v[len(v)/2], Min: v[0], Max: v[len(v)-1]}
}

// of is the spread of one value of each sample.
func of(samples []Sample, value func(Sample) float64) Spread {
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	return spread(values)
}

// summarize makes medians, and ratios within each round: what disturbs the machine then disturbs both alike.
func summarize(backend string, samples map[string][]Sample) *Scenario {
	s := &Scenario{Backend: backend, Ratios: map[string]Spread{}, Targets: map[string]*Summary{}}
	for name, all := range samples {
		t := &Summary{
			CPU: of(all, func(s Sample) float64 { return s.CPU }), PerSecond: of(all, func(s Sample) float64 { return s.PerSecond }),
			P50: of(all, func(s Sample) float64 { return s.P50 }), P99: of(all, func(s Sample) float64 { return s.P99 }),
			RSS: of(all, func(s Sample) float64 { return s.RSS }), Rounds: all,
		}
		if all[0].Allocs != nil {
			allocs := of(all, func(s Sample) float64 { return *s.Allocs })
			t.Allocs = &allocs
		}
		s.Targets[name] = t
		if name == postern {
			continue
		}
		ratios := make([]float64, len(all))
		for round := range all {
			ratios[round] = samples[postern][round].CPU / all[round].CPU
		}
		s.Ratios[name] = spread(ratios)
	}
	return s
}

// write puts the report into dir as JSON and Markdown, and prints the latter.
func (r *Report) write(dir string, out io.Writer) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	table := r.markdown()
	err = errors.Join(
		os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "passthrough.json"), append(text, '\n'), 0o644),
		os.WriteFile(filepath.Join(dir, "passthrough.md"), []byte(table), 0o644),
	)
	if err != nil {
		return fmt.Errorf("cannot write the results: %w", err)
	}
	_, err = io.WriteString(out, table)
	return err
}

// title is a target as people call it, and what it does besides handing on.
func (r *Report) title(name string) string {
	logs := "no access log"
	if r.Options.PeerLogs {
		logs = "access log"
	}
	return map[string]string{
		postern:      "**Postern**: JWT, RBAC, metrics, access log",
		nginx:        "nginx " + r.Machine.Versions[nginx] + ": no authentication, " + logs,
		haproxy:      "HAProxy " + r.Machine.Versions[haproxy] + ": no authentication, " + logs,
		reverseProxy: "net/http ReverseProxy: no authentication, no access log",
	}[name]
}

// markdown is the report for people: ratios first.
func (r *Report) markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "# Passthrough: CPU per request\n\nCPU of Postern divided by CPU of the peer, within the same round: median of %d rounds (least to most).\nBelow 1, Postern is cheaper. Postern authenticates, authorizes, counts and logs each request; the peers only hand it on.\n\n",
		r.Options.Rounds)
	b.WriteString("| backend | Postern ÷ nginx | Postern ÷ HAProxy | Postern ÷ ReverseProxy |\n|---|---|---|---|\n")
	for _, s := range r.Scenarios {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", s.Backend, ratio(s.Ratios[nginx]), ratio(s.Ratios[haproxy]), ratio(s.Ratios[reverseProxy]))
	}
	for _, s := range r.Scenarios {
		fmt.Fprintf(&b, "\n## Backend: %s\n\n| | CPU µs/request | requests/s | p50 ms | p99 ms | RSS MiB | allocations/request |\n|---|---|---|---|---|---|---|\n", s.Backend)
		for _, name := range targetNames {
			t := s.Targets[name]
			allocs := ""
			if t.Allocs != nil {
				allocs = fmt.Sprintf("%.1f", t.Allocs.Median)
			}
			fmt.Fprintf(&b, "| %s | %.1f (%.1f–%.1f) | %.0f | %.2f | %.2f | %.1f | %s |\n", r.title(name),
				t.CPU.Median, t.CPU.Min, t.CPU.Max, t.PerSecond.Median, t.P50.Median, t.P99.Median, t.RSS.Median, allocs)
		}
		fmt.Fprintf(&b, "\n%s\n", logLines(s.Targets[postern]))
	}
	fmt.Fprintf(&b, "\n## Machine\n\n%s, %d cores, Linux %s, %s, wrk %s; %s.\nLoad average at the start %s, at the end %s (1, 5, 15 minutes).\n",
		m.CPU, m.Cores, m.Kernel, m.Go, m.Versions["wrk"], m.Time.Format(time.DateTime+" MST"), m.LoadStart, m.LoadEnd)
	fmt.Fprintf(&b, "%d connections, %s a target and round after a warm-up; load generator, target and backend share the cores.\n", r.Options.Connections, r.Options.Duration)
	return b.String()
}

func ratio(s Spread) string { return fmt.Sprintf("**%.2f** (%.2f–%.2f)", s.Median, s.Min, s.Max) }

// logLines says whether all of Postern's access log was written: a line that finds the queue full is dropped and counted.
func logLines(t *Summary) string {
	var requests, dropped float64
	for _, s := range t.Rounds {
		requests, dropped = requests+float64(s.Requests), dropped+s.Dropped
	}
	return fmt.Sprintf("Postern wrote an access log line for %.1f %% of its requests.", 100*(1-min(1, dropped/requests)))
}
