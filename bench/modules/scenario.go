package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/posternhq/postern/bench/rig"
)

// scenario is one thing that is measured. Add yours to scenarios below.
type scenario struct {
	name  string // as the flag --only knows it
	about string // what is measured, in the report
	limit time.Duration
	run   func(ctx context.Context, b *bench) ([]rig.Figure, error)
}

// scenarios are run in this order; together they must stay below six minutes.
var scenarios = []scenario{
	{"swap", "p99 of passthrough while a Go module of 6 MB that no cache knows is swapped", 3 * time.Minute, swap},
	{"soak", "a Go guest is swapped again and again under load: what the gateway holds", 7 * time.Minute, soak},
	{"idle", "modules that nobody asks for: the way back from the cache, and the gateway's memory", time.Minute, idle},
	{"coldstart", "start of the gateway with five Go modules from the compilation cache", time.Minute, coldStart},
	{"instances", "spare instances, made plainly and as copies of the first", time.Minute, instances},
	{"fuel", "what it costs that a guest can be interrupted", time.Minute, fuelPrice},
	{"stalls", "how long a guest keeps other goroutines waiting", time.Minute, stalls},
}

func names() (all []string) {
	for _, s := range scenarios {
		all = append(all, s.name)
	}
	return all
}

// bench is what scenarios use: the flags, and a folder of the scenario's own.
type bench struct {
	options
	dir string
}

// scenario runs one scenario in a folder of its own.
func (b *bench) scenario(ctx context.Context, s scenario) ([]rig.Figure, error) {
	own := *b
	own.dir = filepath.Join(b.work, s.name)
	if err := os.MkdirAll(own.dir, 0o700); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	return s.run(ctx, &own)
}
