package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// swap compares the passthrough's latency while a module of 6 MB that no cache knows is loaded, with that when nothing is: by
// compiling in a child process, as the gateway does, and in its own process, as it does without a cache.
func swap(ctx context.Context, b *bench) ([]rig.Figure, error) {
	wasm, err := rich(ctx)
	if err != nil {
		return nil, err
	}
	apart, err := b.swaps(ctx, wasm, "child", true)
	if err != nil {
		return nil, err
	}
	within, err := b.swaps(ctx, wasm, "in-process", false)
	if err != nil {
		return nil, err
	}
	note := func(s *swapped) string {
		return fmt.Sprintf("%d swaps of %.1f MB, %d requests, each swap %.1f s (%.1f to %.1f)", len(s.took), float64(len(wasm))/1e6, s.during.n,
			s.took[len(s.took)/2].Seconds(), s.took[0].Seconds(), s.took[len(s.took)-1].Seconds())
	}
	all := []rig.Figure{
		rig.Told("p99 without a swap", milliseconds(apart.quiet.p99), "ms", fmt.Sprintf("%d requests at %d a second", apart.quiet.n, b.rate)),
		rig.Told("p99 during swaps, compiled in a child", milliseconds(apart.during.p99), "ms", note(apart)),
		rig.AtMost(1.5, "the same, over p99 without a swap", ratio(apart), "×", "p50 "+p50s(apart)),
		rig.Told("p99 during swaps, compiled in process", milliseconds(within.during.p99), "ms", note(within)),
		rig.Told("the same, over its p99 without a swap", ratio(within), "×", "p50 "+p50s(within)),
		rig.AtMost(0, "failed requests", float64(apart.failed+within.failed), "", ""),
		rig.Told("peak RSS, compiled in a child", apart.peak, "MiB", fmt.Sprintf("gateway without the child; before the swaps %.0f MiB", apart.before)),
		rig.Told("peak RSS, compiled in process", within.peak, "MiB", fmt.Sprintf("before the swaps %.0f MiB", within.before)),
	}
	return all, nil
}

// latency is what a load saw in a span, or in several.
type latency struct {
	n             int
	p50, p99, max time.Duration
}

func of(times []time.Duration) latency {
	slices.Sort(times)
	return latency{len(times), quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1)}
}

// swapped is what swaps of one kind did.
type swapped struct {
	quiet, during latency
	took          []time.Duration // from the file's coming until it serves, sorted
	failed        int
	before, peak  float64 // RSS, MiB
}

func ratio(s *swapped) float64 { return float64(s.during.p99) / float64(s.quiet.p99) }

func p50s(s *swapped) string {
	return fmt.Sprintf("%.2f → %.2f ms", milliseconds(s.quiet.p50), milliseconds(s.during.p50))
}

// swaps measures some. Between two of them the load goes on as before, and that is what they are compared with: what else the
// machine does bears on both alike.
func (b *bench) swaps(ctx context.Context, wasm []byte, name string, apart bool) (*swapped, error) {
	own := *b
	own.dir += "/" + name
	if err := place(own.dir+"/modules", "rich.wasm", distinct(wasm, name)); err != nil {
		return nil, err
	}
	g, err := own.gatewayWith(ctx, "", apart)
	if err != nil {
		return nil, err
	}
	defer g.stop()
	if _, err := g.ready(ctx); err != nil {
		return nil, err
	}
	if err := g.serves(ctx, 1); err != nil {
		return nil, err
	}
	s := &swapped{}
	l := g.ask(ctx, g.url+object, b.rate)
	defer l.end()
	sleep(ctx, time.Second)
	if s.before, err = rss(g.PID); err != nil {
		return nil, err
	}
	peak := watchPeak(g.PID)
	defer peak.stop()
	var quiet, during []time.Duration
	for n := range b.swapCount {
		from := time.Now()
		sleep(ctx, b.quiet/time.Duration(b.swapCount))
		quiet = append(quiet, l.between(from, time.Now())...)
		next, err := renamed(distinct(wasm, fmt.Sprint(name, n)), "rich", fmt.Sprint(n), "bench.postern.io")
		if err != nil {
			return nil, err
		}
		from = time.Now()
		if err := g.put("rich.wasm", next); err != nil {
			return nil, err
		}
		took, err := g.version(ctx, "rich.wasm", fmt.Sprint(n))
		if err != nil {
			return nil, err
		}
		sleep(ctx, 50*time.Millisecond) // requests of the last moments get their answers
		during = append(during, l.between(from, from.Add(took))...)
		s.took = append(s.took, took)
	}
	l.end()
	slices.Sort(s.took)
	s.quiet, s.during, s.failed, s.peak = of(quiet), of(during), l.failed, peak.stop()
	return s, l.why
}
