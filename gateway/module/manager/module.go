package manager

import (
	"sync/atomic"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
)

// Module is what lasts of a module while its generations come and go.
type Module struct {
	name    string // of its slot
	serving atomic.Pointer[arms]
}

// arms are the generations that serve a module: the main one and, while a rollout tries it, the next one. It is immutable.
type arms struct {
	main  *module.Generation
	trial *trial // nil: there is none
}

// Generation is the one that serves; nil when none does. A rollout's candidate is not shown.
func (m *Module) Generation() *module.Generation {
	if a := m.serving.Load(); a != nil {
		return a.main
	}
	return nil
}

// Serve has a generation of the module answer x. It is false when there is none any more: nothing has been answered.
// Allocates nothing.
func (m *Module) Serve(x *exchange.Exchange) bool {
	for {
		a := m.serving.Load()
		if a == nil {
			return false
		}
		// A generation that was closed between the look and the share has a successor by now.
		if a.trial != nil {
			if a.serve(x) {
				return true
			}
		} else if a.main.Acquire() {
			serve(a.main, x)
			return true
		}
	}
}

// serve gives the share back also when the module's host side panics.
func serve(gen *module.Generation, x *exchange.Exchange) {
	defer gen.Release()
	gen.Serve(x)
}
