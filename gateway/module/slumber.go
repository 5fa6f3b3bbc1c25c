package module

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/posternhq/postern/gateway/module/codecache"
	"github.com/posternhq/postern/hostabi"
)

// State is what a generation is doing.
type State string

const (
	Awake  State = "awake"  // it has its code and its instances
	Asleep State = "idle"   // it has given them back, until the next request
	Waking State = "waking" // it is getting them again, or just giving them back
)

// States are all of them.
var States = []State{Awake, Asleep, Waking}

// slumber is how a generation gives back its instances and machine code while nobody asks it, and gets them again. What the
// guest had in its memory is lost with them; policy, grants and digest stay.
type slumber struct {
	mu    sync.Mutex
	state State
	turn  chan struct{} // closed when the change that is under way has ended; nil when there is none
	used  time.Time     // when a request last came
	timer *time.Timer   // puts it to sleep
	ended bool
	life  context.Context // of wakes
	end   context.CancelFunc
	// Why it could not be woken, and until when requests are told so without another try.
	err   error
	pause time.Duration
	until time.Time
}

// begin starts the clock of a generation that has just been loaded.
func (s *slumber) begin(g *Generation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.used = Awake, time.Now()
	s.life, s.end = context.WithCancel(g.engine.life)
	if idle := g.idleUnload(); idle > 0 {
		s.timer = time.AfterFunc(idle, g.doze)
	}
}

// idleUnload is after how long without a request the generation sleeps; 0: never.
func (g *Generation) idleUnload() time.Duration {
	if g.image.source == nil {
		return 0 // it could not be woken
	}
	return g.limits.IdleUnload
}

// State is what the generation is doing.
func (g *Generation) State() State {
	g.slumber.mu.Lock()
	defer g.slumber.mu.Unlock()
	if g.slumber.turn != nil {
		return Waking
	}
	return g.slumber.state
}

// doze puts the generation to sleep if it is time, else looks again when it may be.
func (g *Generation) doze() {
	s, idle := &g.slumber, g.idleUnload()
	s.mu.Lock()
	left := idle - time.Since(s.used)
	if left <= 0 && g.busy() {
		left = idle
	}
	if left > 0 && !s.ended && s.state == Awake {
		s.timer.Reset(left)
	}
	s.mu.Unlock()
	if left <= 0 {
		g.Sleep()
	}
}

// busy says whether something of the generation is under way.
func (g *Generation) busy() bool {
	return len(g.admit) > 0 || g.queued.Load() > 0 || g.calls.Load() > 0
}

// Sleep gives instances and machine code back, unless a request or a host call is under way; false if so, or if the
// generation cannot be woken again. A request that comes meanwhile waits, and wakes it.
func (g *Generation) Sleep() bool {
	s := &g.slumber
	s.mu.Lock()
	if s.state != Awake || s.turn != nil || s.ended || g.image.source == nil || g.busy() {
		s.mu.Unlock()
		return false
	}
	turn := make(chan struct{})
	s.turn = turn
	s.mu.Unlock()
	g.endInstances()
	if err := errors.Join(g.image.copies.close(g), g.image.unload(g.engine)); err != nil {
		g.engine.opts.Log.Error().Err(err).Str("module", g.Manifest().Name).Msg("cannot free compiled module")
	}
	g.Stats.Sleeps.Add(1)
	s.mu.Lock()
	s.state, s.turn = Asleep, nil
	s.mu.Unlock()
	close(turn)
	return true
}

// rouse returns when the generation is awake; the request has its slot already, so that it stays so. One request wakes it,
// others wait for that.
func (g *Generation) rouse(r *request) verdict {
	s := &g.slumber
	s.mu.Lock()
	s.used = time.Now()
	for s.state != Awake || s.turn != nil {
		if s.turn == nil {
			if s.err != nil && time.Now().Before(s.until) {
				err := s.err
				s.mu.Unlock()
				return verdict{hostabi.Busy, fmt.Sprintf("module %q cannot be woken: %s", g.Manifest().Name, firstLine(err))}
			}
			s.turn = make(chan struct{})
			go g.wake()
		}
		turn := s.turn
		s.mu.Unlock()
		select {
		case <-turn:
		case <-r.ctx.Done():
			return r.over()
		}
		s.mu.Lock()
	}
	s.mu.Unlock()
	return verdict{}
}

// wake gets the machine code again. Instances are made as requests need them.
func (g *Generation) wake() {
	start := time.Now()
	err := g.reload()
	s := &g.slumber
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err = err; err == nil {
		g.engine.tidy()
		s.state, s.pause = Awake, 0
		g.Stats.Wakes.Add(1)
		g.Stats.WakeTime.Add(int64(time.Since(start)))
		if !s.ended && s.timer != nil {
			s.timer.Reset(g.idleUnload())
		}
	} else {
		s.pause = min(max(2*s.pause, firstPause), lastPause)
		s.until = time.Now().Add(s.pause)
		g.engine.opts.Log.Error().Err(err).Str("module", g.Manifest().Name).Msg("cannot wake module")
	}
	close(s.turn)
	s.turn = nil
}

func (g *Generation) reload() (err error) {
	defer func() {
		if p := recover(); p != nil { // of the runtime's decoder: nobody's request may end the process
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	wasm, err := g.image.source.Read()
	if err != nil {
		return err
	}
	code := g.image.prepare(g.slumber.life, wasm)
	g.image.compiled, _, err = g.engine.machineCode(g.slumber.life, codecache.KeyOf(code), code)
	return err
}

// Lost says whether the generation sleeps and cannot be woken, for what it would be woken from is damaged: it must be loaded
// anew.
func (g *Generation) Lost() bool {
	s := &g.slumber
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == Asleep && errors.Is(s.err, codecache.ErrDamaged)
}

// stop ends the clock and waits for what is under way. Nobody asks the generation any more.
func (s *slumber) stop() {
	s.mu.Lock()
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.end != nil {
		s.end()
	}
	turn := s.turn
	s.mu.Unlock()
	if turn != nil {
		<-turn
	}
}
