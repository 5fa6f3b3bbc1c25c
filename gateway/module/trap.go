package module

import (
	"errors"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/posternhq/postern/hostabi"
)

// TrapKind is why an instance was lost.
type TrapKind int

// The kinds of traps.
const (
	TrapOther       TrapKind = iota // the host's own failure, or one that wazero has no word for
	TrapUnreachable                 // the unreachable instruction: abort() of C, a failed assertion
	TrapBounds                      // memory or table access out of bounds, a call of what is no function
	TrapArithmetic                  // a division by zero, a number too large
	TrapStack                       // recursion too deep
	TrapCPU                         // cpuPerCall
	TrapExit                        // proc_exit
	TrapPanic                       // a panic or fatal error of the Go runtime
	TrapDeadlock                    // all goroutines are asleep
	TrapMemory                      // out of memory
	TrapStart                       // the instance could not be made
	trapKinds
)

var trapNames = [trapKinds]string{"other", "unreachable", "bounds", "arithmetic", "stack", "cpu", "exit", "panic", "deadlock", "memory", "start"}

// String is the kind's label in metrics.
func (k TrapKind) String() string { return trapNames[k] }

// wazeroKinds tell traps by what wazero says; its errors are not exported.
var wazeroKinds = []struct {
	says string
	kind TrapKind
}{
	{"wasm error: unreachable", TrapUnreachable},
	{"wasm error: out of bounds", TrapBounds},
	{"wasm error: invalid table access", TrapBounds},
	{"wasm error: indirect call", TrapBounds},
	{"wasm error: null reference", TrapBounds},
	{"wasm error: integer", TrapArithmetic},
	{"wasm error: invalid conversion", TrapArithmetic},
	{"stack overflow", TrapStack},
}

// fatal is what the Go runtime, and libraries of other languages, say before they exit.
var fatal = []struct {
	says string
	kind TrapKind
}{
	{"all goroutines are asleep", TrapDeadlock},
	{"out of memory", TrapMemory},
	{"cannot allocate memory", TrapMemory},
	{"stack overflow", TrapStack},
	{"goroutine stack exceeds", TrapStack},
	{"fatal error:", TrapPanic},
	{"panic:", TrapPanic},
}

// kindOf says why a call into a guest failed. last is the kind of what the guest said on stderr last, TrapOther if nothing that
// is known.
func kindOf(err error, last TrapKind) TrapKind {
	if errors.Is(err, errBudget) {
		return TrapCPU
	}
	if exit := (*sys.ExitError)(nil); errors.As(err, &exit) {
		if last != TrapOther && exit.ExitCode() != 0 {
			return last
		}
		return TrapExit
	}
	for _, w := range wazeroKinds {
		if strings.Contains(err.Error(), w.says) {
			if w.kind == TrapUnreachable && last != TrapOther {
				return last
			}
			return w.kind
		}
	}
	return TrapOther
}

// heard notes what a dying guest says on stderr. The first word that says more than panic counts: the Go runtime prints "fatal
// error: " first and what it is in the next piece, then stack traces.
func (i *instance) heard(level hostabi.Level, line []byte) {
	if level != hostabi.LevelError || i.says != TrapOther && i.says != TrapPanic {
		return
	}
	text := string(line)
	for _, f := range fatal {
		if strings.Contains(text, f.says) {
			i.says = f.kind
			return
		}
	}
}
