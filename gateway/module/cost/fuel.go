//go:build linux

package cost

import (
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/internal/variant"
)

// Price is the CPU time of a guest's answers, as it is and metered.
type Price struct {
	Plain, Metered time.Duration // the median of a request
	Ratio          float64       // the median of the ratios of requests that were made one after the other
}

// Fuel asks a module over and over, as it is and metered in turn, so that foreign load hits both alike; which comes first
// alternates as well.
func Fuel(ctx context.Context, wasm []byte, policy module.Policy, uri string, rounds int) (Price, error) {
	var subjects [2]*subject
	for i, v := range []variant.Variant{{NoFuel: true}, {}} {
		s, err := load(ctx, wasm, policy, v)
		if err != nil {
			return Price{}, err
		}
		defer s.close()
		subjects[i] = s
	}
	var times [2][]time.Duration
	var ratios []float64
	for round := range rounds {
		var took [2]time.Duration
		for turn := range 2 {
			i := (round + turn) % 2
			var err error
			if took[i], err = subjects[i].cpu(uri); err != nil {
				return Price{}, err
			}
			times[i] = append(times[i], took[i])
		}
		ratios = append(ratios, float64(took[1])/float64(took[0]))
	}
	return Price{median(times[0]), median(times[1]), median(ratios)}, nil
}

// cpu is the CPU time of the process for one request.
func (s *subject) cpu(uri string) (time.Duration, error) {
	before := processTime()
	err := s.ask(uri)
	return processTime() - before, err
}

func median[T time.Duration | float64](all []T) T {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// Gaps are how long a goroutine that wakes every millisecond was kept from it.
type Gaps struct{ P50, P99, Longest time.Duration }

// Round is one round of Stalls.
type Round struct{ Idle, Plain, Metered Gaps }

// Stalls measures the gaps while the host collects its garbage every 10 ms: with no guest at work, with one that answers uri
// in a loop without being metered, and with one that is metered; each for d, in turn, as many rounds.
func Stalls(ctx context.Context, wasm []byte, policy module.Policy, uri string, d time.Duration, rounds int) ([]Round, error) {
	plain, err := load(ctx, wasm, policy, variant.Variant{NoFuel: true})
	if err != nil {
		return nil, err
	}
	defer plain.close()
	metered, err := load(ctx, wasm, policy, variant.Variant{})
	if err != nil {
		return nil, err
	}
	defer metered.close()
	all := make([]Round, rounds)
	for i := range all {
		r := &all[i]
		r.Idle = gaps(d)
		if r.Plain, err = plain.gaps(uri, d); err != nil {
			return nil, err
		}
		if r.Metered, err = metered.gaps(uri, d); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// gaps are those while s answers uri in a loop.
func (s *subject) gaps(uri string, d time.Duration) (Gaps, error) {
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.loop(uri, stop) }()
	g := gaps(d)
	close(stop)
	return g, <-ended
}

func (s *subject) loop(uri string, stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
			if err := s.ask(uri); err != nil {
				return err
			}
		}
	}
}

// gaps ticks for d while garbage is collected.
func gaps(d time.Duration) Gaps {
	const collect, tick = 10 * time.Millisecond, time.Millisecond
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(collect)
		defer ticker.Stop()
		for {
			select {
			case <-stop:
				return
			case <-ticker.C:
				runtime.GC()
			}
		}
	}()
	all := make([]time.Duration, 0, d/tick)
	begin := time.Now()
	for last := begin; last.Sub(begin) < d; {
		time.Sleep(tick)
		now := time.Now()
		all = append(all, now.Sub(last))
		last = now
	}
	close(stop)
	<-ended
	slices.Sort(all)
	return Gaps{all[len(all)/2], all[len(all)*99/100], all[len(all)-1]}
}
