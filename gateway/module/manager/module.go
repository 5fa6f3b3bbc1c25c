package manager

import (
	"sync/atomic"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
)

// Module is what lasts of a module while its generations come and go.
type Module struct {
	file    string
	serving atomic.Pointer[module.Generation] // nil before the first and after the last one
}

// Generation is the one that serves; nil when none does.
func (m *Module) Generation() *module.Generation { return m.serving.Load() }

// Serve has the generation that serves answer x. It is false when there is none any more: nothing has been answered.
// Allocates nothing.
func (m *Module) Serve(x *exchange.Exchange) bool {
	for {
		gen := m.serving.Load()
		if gen == nil {
			return false
		}
		// One that was closed between the look and the share has a successor by now.
		if gen.Acquire() {
			serve(gen, x)
			return true
		}
	}
}

// serve gives the share back also when the module's host side panics.
func serve(gen *module.Generation, x *exchange.Exchange) {
	defer gen.Release()
	gen.Serve(x)
}
