package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// measurer runs scenarios.
type measurer struct {
	options
	tools    *tools
	profiled bool
}

// Scenario is what was measured in front of one backend.
type Scenario struct {
	Backend string              `json:"backend"`
	Ratios  map[string]Spread   `json:"ratios"` // CPU of Postern over that of the peer, within each round
	Targets map[string]*Summary `json:"targets"`
}

// Sample is one target in one round.
type Sample struct {
	CPU       float64  `json:"cpuMicroseconds"` // user and system, a request
	PerSecond float64  `json:"requestsPerSecond"`
	P50       float64  `json:"p50Milliseconds"`
	P99       float64  `json:"p99Milliseconds"`
	RSS       float64  `json:"rssMiB"`                // at the end of the load, all processes
	Allocs    *float64 `json:"allocations,omitempty"` // a request; Postern only
	GCs       float64  `json:"collections,omitempty"`
	Dropped   float64  `json:"logLinesDropped,omitempty"`
	Requests  int64    `json:"requests"`
	Timeouts  int64    `json:"timeouts,omitempty"`
	Load      string   `json:"load"` // load average of the machine afterwards
}

// scenario measures all targets in front of one backend.
func (m *measurer) scenario(ctx context.Context, startBackend starter) (*Scenario, error) {
	b, err := startBackend(ctx, m)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	running := map[string]*target{}
	for _, name := range targetNames { // Postern first: it makes the token that all others are asked with
		t, err := m.startTarget(ctx, name, b)
		if err != nil {
			return nil, err
		}
		defer t.Stop()
		running[name] = t
	}
	if err := guarded(ctx, running[postern]); err != nil {
		return nil, err
	}
	samples := map[string][]Sample{}
	for round := range m.rounds {
		for i := range targetNames {
			name := targetNames[(i+round)%len(targetNames)] // nobody is always first
			s, err := m.sample(ctx, running[name], b)
			if err != nil {
				return nil, err
			}
			samples[name] = append(samples[name], *s)
			fmt.Fprintf(os.Stderr, "%-14s round %d/%d  %-12s %6.1f µs CPU  %7.0f requests/s  load average %s\n",
				b.title, round+1, m.rounds, name, s.CPU, s.PerSecond, s.Load)
		}
	}
	if m.profile != "" && !m.profiled {
		if err := m.cpuProfile(ctx, running[postern], b); err != nil {
			return nil, err
		}
	}
	return summarize(b.title, samples), nil
}

var errOpen = errors.New("postern answers without a token: its chain is not on")

// guarded makes sure that Postern decides: without a token it must refuse.
func guarded(ctx context.Context, t *target) error {
	code, err := get(ctx, t.url, "")
	if err == nil && code != http.StatusForbidden && code != http.StatusUnauthorized {
		err = fmt.Errorf("%w (status %d)", errOpen, code)
	}
	return err
}

// sample puts load on a target, without and with measuring it.
func (m *measurer) sample(ctx context.Context, t *target, b *backend) (*Sample, error) {
	if _, err := m.tools.wrk(ctx, m.options, m.warm, b.token, t.url); err != nil {
		return nil, err
	}
	var told counters
	var err error
	if t.admin != "" {
		if told, err = t.counters(ctx); err != nil {
			return nil, err
		}
	}
	before, err := rig.GroupUsage(t.PID)
	if err != nil {
		return nil, err
	}
	l, err := m.tools.wrk(ctx, m.options, m.duration, b.token, t.url)
	if err != nil {
		return nil, err
	}
	after, err := rig.GroupUsage(t.PID)
	if err != nil {
		return nil, err
	}
	s := &Sample{
		CPU: microseconds(after.CPU-before.CPU) / float64(l.Requests), PerSecond: l.PerSecond, Requests: l.Requests,
		P50: microseconds(l.P50) / 1e3, P99: microseconds(l.P99) / 1e3, RSS: float64(after.RSS) / (1 << 20),
		Timeouts: l.Timeouts, Load: rig.LoadAverage(),
	}
	if t.admin == "" {
		return s, nil
	}
	return s, s.add(ctx, t, told)
}

var errNotCounted = errors.New("postern's metrics do not count all requests: its chain is not on")

// add completes a sample with what Postern says of itself.
func (s *Sample) add(ctx context.Context, t *target, before counters) error {
	after, err := t.counters(ctx)
	if err != nil {
		return err
	}
	d := after.minus(before)
	if d.Requests < float64(s.Requests) {
		return fmt.Errorf("%w: %.0f of %d", errNotCounted, d.Requests, s.Requests)
	}
	allocs := d.Mallocs / d.Requests
	s.Allocs, s.GCs, s.Dropped = &allocs, d.GCs, d.Dropped
	return nil
}

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// cpuProfile writes a profile of Postern under load.
func (m *measurer) cpuProfile(ctx context.Context, t *target, b *backend) error {
	m.profiled = true
	failed := make(chan error, 1)
	go func() {
		_, err := m.tools.wrk(ctx, m.options, m.duration+2*time.Second, b.token, t.url)
		failed <- err
	}()
	err := download(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%d", t.admin, max(1, int(m.duration.Seconds()))), m.profile)
	return errors.Join(err, <-failed)
}

// download writes what a URL answers into a file.
func download(ctx context.Context, url, file string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", url, err)
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	f, err := os.Create(filepath.Clean(file))
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.LimitReader(resp.Body, 64<<20))
	return errors.Join(err, f.Close())
}

// commandOutput runs a program and gives its standard output.
func commandOutput(ctx context.Context, out io.Writer, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var problems limited
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = out, &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s %v: %w\n%s", name, args, err, problems.b)
	}
	return nil
}

// limited keeps the first four kilobytes.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	l.b = append(l.b, p[:min(len(p), 4<<10-len(l.b))]...)
	return len(p), nil
}
