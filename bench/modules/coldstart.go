package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// shipped are the modules that come with the gateway.
var shipped = []string{"hello", "kubeedge", "monitoring"}

// placeFive has five Go modules of different code in a folder: those that come with the gateway, a large one and one more.
func placeFive(ctx context.Context, dir string) error {
	for _, name := range shipped {
		wasm, err := build(ctx, "wasm-modules/"+name)
		if err != nil {
			return err
		}
		if err := place(dir, name+".wasm", wasm); err != nil {
			return err
		}
	}
	large, err := rich(ctx)
	if err != nil {
		return err
	}
	if err := place(dir, "rich.wasm", large); err != nil {
		return err
	}
	fifth, err := build(ctx, "wasm-modules/hello")
	if err != nil {
		return err
	}
	if fifth, err = renamed(distinct(fifth, "fifth"), "fifth", "1", "fifth.bench.postern.io"); err != nil {
		return err
	}
	return place(dir, "fifth.wasm", fifth)
}

// coldStart starts the gateway once to fill the cache and then measures how long it takes from the start of the process
// until /readyz says that requests may come.
func coldStart(ctx context.Context, b *bench) ([]rig.Figure, error) {
	if err := placeFive(ctx, b.dir+"/modules"); err != nil {
		return nil, err
	}
	g, err := b.gateway(ctx, "")
	if err != nil {
		return nil, err
	}
	defer func() { g.stop() }()
	first, err := g.ready(ctx)
	if err != nil {
		return nil, err
	}
	var starts []time.Duration
	var cpu time.Duration
	for range 5 {
		g.Stop()
		if err := g.start(ctx); err != nil {
			return nil, err
		}
		took, err := g.ready(ctx)
		if err != nil {
			return nil, err
		}
		u, err := rig.GroupUsage(g.PID)
		if err != nil {
			return nil, err
		}
		starts, cpu = append(starts, took), cpu+u.CPU
		if err := g.serves(ctx, 5); err != nil {
			return nil, err
		}
	}
	slices.Sort(starts)
	return []rig.Figure{
		rig.AtMost(1000, "ready, all in the cache", milliseconds(starts[2]), "ms", fmt.Sprintf("median of 5, %.0f to %.0f", milliseconds(starts[0]), milliseconds(starts[4]))),
		rig.Told("CPU until then", milliseconds(cpu)/5, "ms", "user and system, mean"),
		rig.Told("ready, nothing in the cache", milliseconds(first), "ms", "once"),
	}, nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
