package module

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
	"github.com/posternhq/postern/hostabi"
)

// OnBroken has f told when the breaker opens: the module has failed again and again, and is left alone for a while. f is called
// by what has just failed, so it must not wait for the generation. Without it, the generation tries again by itself.
func (g *Generation) OnBroken(f func(why error)) { g.onBroken.Store(&f) }

// trapped counts a lost instance, and opens the breaker when there are too many.
func (g *Generation) trapped(kind TrapKind, err error) {
	g.Stats.Traps.Add(1)
	g.Stats.kinds[kind].Add(1)
	if kind == TrapCPU {
		g.reached(LimitCPUPerCall)
	}
	why := firstLine(err)
	if !g.breaker.trap(time.Now(), why) {
		return
	}
	g.Stats.Opened.Add(1)
	g.sayBreaker()
	if f := g.onBroken.Load(); f != nil {
		(*f)(errors.New(why))
	}
}

// reached counts that a limit was run into.
func (g *Generation) reached(n Limit) { g.Stats.reached[n].Add(1) }

// shed refuses x for the open breaker. The guest hears nothing of it.
func (g *Generation) shed(x *exchange.Exchange) {
	g.Stats.Shed.Add(1)
	g.Stats.Failures.Add(1)
	wait, why := g.breaker.left(time.Now())
	seconds := max(1, int(math.Ceil(wait.Seconds())))
	x.HTTP.Response.Header.Set("Retry-After", strconv.Itoa(seconds))
	status.Write(x, status.ServiceUnavailable,
		fmt.Sprintf("module %q keeps failing and is not asked for %d s: %s", g.Manifest().Name, seconds, why))
}

// probe has the guest answer x while the breaker is half open; what becomes of it decides.
func (g *Generation) probe(x *exchange.Exchange) {
	code := hostabi.Canceled // unless it becomes more: a panic of the host says nothing of the module
	defer func() {
		if g.breaker.judge(time.Now(), code); code == hostabi.OK || code == hostabi.Internal {
			g.sayBreaker()
		}
	}()
	code = g.answer(x)
}

// sayBreaker logs how the breaker stands.
func (g *Generation) sayBreaker() {
	s := g.BreakerState()
	if s.State == breakerNames[breakerClosed] {
		g.log.say(hostabi.LevelInfo, "module works again: requests pass", "")
		return
	}
	g.log.say(hostabi.LevelError,
		fmt.Sprintf("module keeps failing: requests are refused for %.1f s, then one is a probe: %s", s.RetryAfterSeconds, s.LastFailure), "")
}
