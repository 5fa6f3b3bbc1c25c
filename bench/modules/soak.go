package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// Of the soak's swaps, one in this many has code that was never compiled, as a new version has; the others are new versions
// of code that the cache knows: else most of the time would go by compiling, which leaves nothing behind in the gateway.
const newCodeEvery = 40

// soakRate is the load on the module that is swapped, requests a second.
const soakRate = 200

// warmSwaps come before the measured ones: heaps and pools grow to their size.
const warmSwaps = 100

// soak swaps a Go guest many times under load and looks whether the gateway's memory, descriptors, mappings and goroutines grow.
func soak(ctx context.Context, b *bench) ([]rig.Figure, error) {
	wasm, err := build(ctx, "wasm-modules/hello")
	if err != nil {
		return nil, err
	}
	version := func(n int) ([]byte, error) {
		code := wasm
		if n%newCodeEvery == newCodeEvery-1 {
			code = distinct(wasm, fmt.Sprint(n))
		}
		return renamed(code, "soak", fmt.Sprint(n), "bench.postern.io")
	}
	first, err := version(0)
	if err != nil {
		return nil, err
	}
	if err := place(b.dir+"/modules", "soak.wasm", first); err != nil {
		return nil, err
	}
	g, err := b.gateway(ctx, "")
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
	l := g.ask(ctx, g.url+"/kapis/bench.postern.io/v1/greetings", soakRate)
	defer l.end()
	start, end := time.Now(), time.Now().Add(soakLimit)
	var s series
	done := 0
	for n := 1; n <= b.soak+warmSwaps && time.Now().Before(end); n++ {
		next, err := version(n)
		if err != nil {
			return nil, err
		}
		if err := g.put("soak.wasm", next); err != nil {
			return nil, err
		}
		if _, err := g.version(ctx, "soak.wasm", fmt.Sprint(n)); err != nil {
			return nil, err
		}
		if n <= warmSwaps {
			continue
		}
		if done++; done%sampleEvery == 0 {
			if err := s.sample(ctx, g, float64(done)); err != nil {
				return nil, err
			}
		}
	}
	l.end()
	if done < 2*sampleEvery {
		return nil, errors.Join(fmt.Errorf("%d swaps in %v: too few for a slope", done, soakLimit), l.why)
	}
	why := "none"
	if l.why != nil {
		why = l.why.Error()
	}
	figures := []rig.Figure{
		rig.Told("swaps", float64(done), "", fmt.Sprintf("in %.0f s, after %d that are not measured; one in %d with new code", time.Since(start).Seconds(), warmSwaps, newCodeEvery)),
		rig.AtMost(0, "failed requests", float64(l.failed), "", fmt.Sprintf("of %d; %.100s", len(l.answers), why)),
	}
	return append(figures, s.figures()...), nil
}

const (
	// soakLimit bounds the soak when a swap takes long, on a busy machine: then it is of fewer swaps, and says so.
	soakLimit   = 6 * time.Minute
	sampleEvery = 10
)

// series are samples over the number of swaps.
type series struct {
	x                                  []float64
	rss, mapped, maps, fds, goroutines []float64
}

// sample has the gateway collect what is garbage, so that what remains is what is held, and reads what that is.
func (s *series) sample(ctx context.Context, g *gateway, x float64) error {
	code, _, err := g.get(ctx, g.admin+"/debug/pprof/heap?gc=1&debug=0")
	if err != nil || code != http.StatusOK {
		return fmt.Errorf("cannot have the gateway collect garbage: status %d, %w", code, err)
	}
	h, err := holds(g.PID)
	if err != nil {
		return err
	}
	goroutines, err := g.metric(ctx, "go_goroutines")
	if err != nil {
		return err
	}
	s.x, s.rss, s.mapped = append(s.x, x), append(s.rss, h.rss), append(s.mapped, h.mapped)
	s.maps, s.fds, s.goroutines = append(s.maps, h.maps), append(s.fds, h.fds), append(s.goroutines, goroutines)
	return nil
}

// figures are the slopes, and from where to where they lead. The targets are what 1,000 swaps may add without anybody
// having to restart a gateway that is swapped ten times a day for a year.
func (s *series) figures() []rig.Figure {
	one := func(most float64, name, unit string, y []float64) rig.Figure {
		slope := 1000 * slope(s.x, y)
		return rig.AtMost(most, name+" per 1,000 swaps", slope, unit,
			fmt.Sprintf("least squares over %d samples; from %s to %s, %d new highs behind the first quarter", len(y),
				rig.Number(median(y[:5])), rig.Number(median(y[len(y)-5:])), highs(y)))
	}
	return []rig.Figure{
		one(10, "RSS", "MiB", s.rss), one(10, "mapped memory", "MiB", s.mapped), one(5, "mappings", "", s.maps),
		one(1, "file descriptors", "", s.fds), one(2, "goroutines", "", s.goroutines),
	}
}
