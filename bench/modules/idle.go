package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// idle measures a module's way back from the cache, and the gateway's memory: with all modules that come with it asleep, and
// with all of them awake.
func idle(ctx context.Context, b *bench) ([]rig.Figure, error) {
	if err := placeIdle(ctx, b.dir+"/modules"); err != nil {
		return nil, err
	}
	g, err := b.gateway(ctx, "    idleUnload: 1s")
	if err != nil {
		return nil, err
	}
	defer g.stop()
	if _, err := g.ready(ctx); err != nil {
		return nil, err
	}
	if err := g.serves(ctx, len(shipped)+1); err != nil {
		return nil, err
	}
	var wakes []time.Duration
	for range 9 {
		if err := g.allIdle(ctx); err != nil {
			return nil, err
		}
		start := time.Now()
		if code, body, err := g.get(ctx, g.url+wakeURL); err != nil || code != http.StatusOK {
			return nil, fmt.Errorf("a sleeping module answers %d %.200q, %w", code, body, err)
		}
		wakes = append(wakes, time.Since(start))
	}
	slices.Sort(wakes)
	asleep, err := g.lowest(ctx, g.allIdle)
	if err != nil {
		return nil, err
	}
	g.Stop()
	g.config.Extra = "    idleUnload: 0s"
	if err := g.start(ctx); err != nil {
		return nil, err
	}
	if _, err := g.ready(ctx); err != nil {
		return nil, err
	}
	awake, err := g.lowest(ctx, func(context.Context) error { return nil })
	if err != nil {
		return nil, err
	}
	note := fmt.Sprintf("%s and one of 3.3 MB; resident memory 5 s after the last change", strings.Join(shipped, ", "))
	return []rig.Figure{
		rig.AtMost(150, "first answer of a sleeping module of 3.3 MB", milliseconds(wakes[4]), "ms",
			fmt.Sprintf("median of 9, %.0f to %.0f", milliseconds(wakes[0]), milliseconds(wakes[8]))),
		rig.AtMost(60, "RSS, all modules asleep", asleep, "MiB", note),
		rig.AtMost(110, "RSS, all modules awake", awake, "MiB", note),
	}, nil
}

// wakeURL is asked to wake a module.
const wakeURL = "/kapis/bench.postern.io/v1/ok"

// placeIdle has the modules that come with the gateway in a folder, and the lean one.
func placeIdle(ctx context.Context, dir string) error {
	for _, name := range append([]string{"../bench/modules/guests/lean"}, shipped...) {
		wasm, err := build(ctx, "wasm-modules/"+name)
		if err != nil {
			return err
		}
		if err := place(dir, name[strings.LastIndexByte(name, '/')+1:]+".wasm", wasm); err != nil {
			return err
		}
	}
	return nil
}

// allIdle waits until every module sleeps.
func (g *gateway) allIdle(ctx context.Context) error {
	_, err := g.await(ctx, g.admin+"/metrics", 50*time.Millisecond, func(_ int, body string) bool {
		asleep := 0
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "postern_module_asleep{") && strings.HasSuffix(line, " 1\n") {
				asleep++
			}
		}
		return asleep == len(shipped)+1
	})
	return err
}

// lowest is the gateway's resident memory once until has come and five seconds have passed, MiB.
func (g *gateway) lowest(ctx context.Context, until func(context.Context) error) (float64, error) {
	if err := until(ctx); err != nil {
		return 0, err
	}
	sleep(ctx, 5*time.Second)
	return rss(g.PID)
}
