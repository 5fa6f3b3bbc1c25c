package module

import (
	"fmt"
	"strings"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/posternhq/postern/hostabi"
)

// The guest is run again after these pauses while nothing but a timer of its own can wake it.
const (
	firstNudge = time.Millisecond
	lastNudge  = 50 * time.Millisecond
)

// get is the shard's instance, made anew if there is none.
func (s *shard) get(g *Generation) (*instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.instance != nil {
		return s.instance, nil
	}
	i, err := g.births.try(g)
	if err != nil {
		return nil, err
	}
	s.instance = i
	g.running.Go(func() { i.loop(s) })
	return i, nil
}

// hand gives r to the shard's instance, or to its successor when it has just died.
func (s *shard) hand(g *Generation, r *request) error {
	for {
		i, err := s.get(g)
		if err != nil {
			return err
		}
		if i.post(r) {
			r.dropped = i.drop
			return nil
		}
		<-i.dead // soon: its goroutine is on its way out, and has made room before it says so
	}
}

// forget makes room for the next instance.
func (s *shard) forget(i *instance) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.instance == i {
		s.instance = nil
	}
	if s.leaving == i {
		s.leaving = nil
	}
}

// part has i take no more requests, for the next one gets a new instance. One at a time: until it has gone, its successor may
// not part as well, so that a shard has two at most.
func (s *shard) part(i *instance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.instance != i || s.leaving != nil {
		return false
	}
	s.instance, s.leaving = nil, i
	return true
}

// close ends the shard's instance.
func (s *shard) close() {
	s.mu.Lock()
	both := [2]*instance{s.instance, s.leaving}
	s.mu.Unlock()
	for _, i := range both {
		if i != nil {
			i.stop()
		}
	}
}

// loop is the one goroutine that calls into an asynchronous guest.
func (i *instance) loop(s *shard) {
	defer close(i.dead)
	defer i.free()
	defer s.forget(i)
	g := guest{
		start:  i.mod.ExportedFunction(hostabi.ExportStart),
		run:    i.mod.ExportedFunction(hostabi.ExportRun),
		cancel: i.mod.ExportedFunction(hostabi.ExportCancel),
	}
	nudge := time.NewTimer(0)
	nudge.Stop() // it runs when something is idle
	defer nudge.Stop()
	pause, leaving := firstNudge, false
	for {
		select {
		case <-i.wake:
			pause = firstNudge
		case <-nudge.C:
			pause = min(2*pause, lastNudge)
		}
		if i.quitting() {
			return
		}
		if err := i.turn(&g); err != nil {
			i.die(err)
			return
		}
		if i.worn() && !leaving && s.part(i) {
			leaving = true
			i.gen.Stats.Recycled.Add(1)
		}
		if leaving && i.retire() {
			return
		}
		if i.idle() {
			nudge.Reset(pause)
		} else {
			nudge.Stop()
		}
	}
}

// guest are the exports of an asynchronous guest.
type guest struct {
	start, run, cancel api.Function
	stack              [1]uint64
}

// turn tells the guest what is new and lets it run until it waits for everything.
func (i *instance) turn(g *guest) error {
	i.mu.Lock()
	starts, cancels := i.starts, i.cancels
	i.starts, i.cancels = nil, nil
	i.mu.Unlock()
	for _, r := range starts {
		g.stack[0] = uint64(r.id)
		if err := i.enter(g.start, g.stack[:]); err != nil {
			return err
		}
	}
	for _, id := range cancels {
		g.stack[0] = uint64(id)
		if err := i.enter(g.cancel, g.stack[:]); err != nil {
			return err
		}
	}
	return i.enter(g.run, g.stack[:])
}

func (i *instance) quitting() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.quit
}

// worn says whether the guest has grown so large that a new one is better: goroutines and data of requests that are over stay in
// its memory, which never shrinks, and at its limit it would fail with all its requests. That is beyond three quarters of the
// limit, and twice what it began with: one that begins large is not better when it is new.
func (i *instance) worn() bool {
	size := int64(i.mod.Memory().Size())
	raise(&i.gen.Stats.Peak, size)
	return size > max(i.gen.limits.Memory/4*3, 2*i.born)
}

// retire has the instance take no more once it has no request; false as long as it has.
func (i *instance) retire() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.requests) > 0 {
		return false
	}
	i.quit = true
	return true
}

// idle says whether some request has not been answered and waits for nothing that the host knows of: for a timer inside
// the guest, or for ever.
func (i *instance) idle() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.runnable > 0
}

// firstLine is an error's first line: wazero adds a stack trace, which belongs in the log.
func firstLine(err error) string {
	text, _, _ := strings.Cut(fmt.Sprint(err), "\n")
	return strings.TrimSuffix(text, " (recovered by wazero)")
}
