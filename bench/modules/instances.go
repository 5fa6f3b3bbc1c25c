package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/posternhq/postern/bench/rig"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/cost"
	"github.com/posternhq/postern/gateway/module/service"
)

// everything grants what the modules that come with the gateway want.
func everything() module.Policy {
	return module.Policy{Limits: module.DefaultLimits(), Grants: service.Grants{
		Kube:       []service.KubeGrant{{Groups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}},
		Prometheus: true, HTTP: []string{"edge-watcher"},
	}}
}

// instances measures spare instances of guests of all sizes, in this process.
func instances(ctx context.Context, _ *bench) (figures []rig.Figure, err error) {
	for _, dir := range []string{"bench/modules/guests/lean", "wasm-modules/hello", "wasm-modules/monitoring"} {
		wasm, err := build(ctx, dir)
		if err != nil {
			return nil, err
		}
		plain, copied, err := cost.Instances(ctx, wasm, everything(), 4)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		name := fmt.Sprintf("%s, %.1f MB", filepath.Base(dir), float64(len(wasm))/1e6)
		note := fmt.Sprintf("mean of 200; snapshot: %s", copied.Snapshot)
		figures = append(figures,
			rig.Told(name+": CPU, made plainly", milliseconds(plain.CPU), "ms", ""),
			rig.AtMost(0.5, name+": CPU, copied", milliseconds(copied.CPU), "ms", note),
			rig.Told(name+": private memory, made plainly", float64(plain.Private)/(1<<20), "MiB", ""),
			rig.AtMost(0.2, name+": private memory, copied", float64(copied.Private)/(1<<20), "MiB", "Private_Dirty of the process, with the host's own part"),
		)
	}
	return figures, nil
}

// fuelPrice measures what metering costs a guest that works on JSON.
func fuelPrice(ctx context.Context, _ *bench) (figures []rig.Figure, err error) {
	wasm, err := build(ctx, "bench/modules/guests/lean")
	if err != nil {
		return nil, err
	}
	for _, c := range []struct{ uri, what string }{{"typed", "structs"}, {"untyped", "any"}} {
		p, err := cost.Fuel(ctx, wasm, everything(), "/kapis/bench.postern.io/v1/"+c.uri, 100)
		if err != nil {
			return nil, err
		}
		figures = append(figures, rig.AtMost(15, "100 KiB of JSON, "+c.what, 100*(p.Ratio-1), "%",
			fmt.Sprintf("%.1f ms of CPU a request, %.1f ms without; median of 100 pairs", milliseconds(p.Metered), milliseconds(p.Plain))))
	}
	return figures, nil
}

// stalls measures how long a guest that works on JSON in a loop keeps other goroutines waiting, at the host's collections.
func stalls(ctx context.Context, _ *bench) ([]rig.Figure, error) {
	wasm, err := build(ctx, "bench/modules/guests/lean")
	if err != nil {
		return nil, err
	}
	rounds, err := cost.Stalls(ctx, wasm, everything(), "/kapis/bench.postern.io/v1/typed", 2*time.Second, stallRounds)
	if err != nil {
		return nil, err
	}
	var idle, plain, metered, ratio []float64
	for _, r := range rounds {
		idle, plain, metered = append(idle, milliseconds(r.Idle.P99)), append(plain, milliseconds(r.Plain.P99)), append(metered, milliseconds(r.Metered.P99))
		ratio = append(ratio, float64(r.Metered.P99)/float64(r.Idle.P99))
	}
	spread := func(values []float64) string {
		return fmt.Sprintf("median of %d rounds, %.1f to %.1f", len(values), slices.Min(values), slices.Max(values))
	}
	return []rig.Figure{
		rig.Told("gap of a ticker, p99, no guest at work", median(idle), "ms", spread(idle)),
		rig.Told("one guest decodes JSON, not metered", median(plain), "ms", spread(plain)),
		rig.Told("one guest decodes JSON", median(metered), "ms", spread(metered)),
		rig.AtMost(3, "against no guest", median(ratio), "times", "a collection every 10 ms; "+spread(ratio)),
	}, nil
}

// stallRounds are how often idle and busy are compared: what the kernel does in between counts in single ones.
const stallRounds = 7
