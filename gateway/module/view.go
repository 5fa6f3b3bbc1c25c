package module

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/posternhq/postern/gateway/module/service"
)

// Digest is the sha256 of a module's bytes, in hex.
func Digest(wasm []byte) string {
	sum := sha256.Sum256(wasm)
	return hex.EncodeToString(sum[:])
}

// Policy is what the generation was loaded under.
func (g *Generation) Policy() Policy { return g.policy }

// Grants are what the generation may reach now: its policy's, unless Restrict has changed them.
func (g *Generation) Grants() service.Grants { return *g.grants.Load() }

// Restrict replaces the grants for host calls from now on: what a configuration takes back is taken at once.
func (g *Generation) Restrict(grants service.Grants) { g.grants.Store(&grants) }

// Costs are how long the parts of the load took.
func (g *Generation) Costs() Costs { return g.image.costs }

// Took is how long the whole load took.
func (g *Generation) Took() time.Duration { return g.loading }

// InFlight is how many requests have a slot now.
func (g *Generation) InFlight() int { return len(g.admit) }

// HostCallsInFlight is how many host calls are under way.
func (g *Generation) HostCallsInFlight() int64 { return g.calls.Load() }
