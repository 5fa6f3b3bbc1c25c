// Package fuel rewrites a WebAssembly binary, once, when it is loaded, so that the guest leaves to the host every so many
// steps.
//
// Compiled guest code has no preemption points of its own: a loop in it can be stopped neither by a deadline nor by the
// garbage collector of the host, which then waits, and every other goroutine with it. The rewritten module counts down
// a global at back-edges of loops and at the entry of functions through which calls can recurse or multiply; at
// zero it calls an imported function of the host. That call is a real return to Go: a preemption point, and the place
// where the host reads the clock and stops a guest that is over its budget, by panicking.
package fuel

import (
	"errors"
	"fmt"
)

// GlobalExport is the name under which the rewritten module exports its fuel counter, a mutable i32. It starts at
// Options.Interval, falls with each step and rises by Options.Interval just before each call of the import. So a call of
// the guest used spends·Interval + before − after steps, where before and after are values of this global.
const GlobalExport = "postern_fuel"

// Defaults of Options.
const (
	DefaultModule   = "postern:fuel"
	DefaultName     = "spend"
	DefaultInterval = 1000
	DefaultMaxTable = 1 << 20
)

// maxInterval keeps counter arithmetic far from overflow: the counter stays within ±2·maxInterval.
const maxInterval = 1 << 28

// ErrRefused is wrapped by every error of Rewrite: the binary is malformed, or uses what the rewriter does not know and
// therefore cannot make interruptible.
var ErrRefused = errors.New("cannot instrument the module")

// Options says what to add. The zero value means the defaults.
type Options struct {
	// Module and Name of the imported function, of type () -> (). The guest must not import it itself.
	// Defaults: "postern:fuel" and "spend".
	Module, Name string
	// Interval is the number of steps between two calls of the import: at most 2²⁸, default 1000. A step is a back-edge of a
	// loop, or an entry to an instrumented function, with up to 4 KiB of code behind it; longer stretches of code count as
	// several steps, but never as more than Interval.
	Interval int32
	// MaxTable is the largest size of a table, in entries of 8 bytes on the host's heap: table.grow fails beyond it.
	// A module whose tables start larger is refused. Default 2²⁰.
	MaxTable uint32
}

func (o Options) withDefaults() Options {
	if o.Module == "" {
		o.Module = DefaultModule
	}
	if o.Name == "" {
		o.Name = DefaultName
	}
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.MaxTable == 0 {
		o.MaxTable = DefaultMaxTable
	}
	return o
}

// Rewrite returns a copy of wasm that calls the host every opts.Interval steps and otherwise means the same. wasm is not
// changed. The result is at most 32 times the size of wasm plus 1 KiB, and 1 to 3 % larger in practice.
//
// The input need not be valid, since the runtime checks the result anyway; but an index that is out of range in the
// input stays so, which means that a guest cannot name what is added here. Errors wrap ErrRefused and give the byte offset.
func Rewrite(wasm []byte, opts Options) ([]byte, error) {
	opts = opts.withDefaults()
	if opts.Interval < 1 || opts.Interval > maxInterval {
		return nil, fmt.Errorf("%w: interval %d is not within 1 to %d", ErrRefused, opts.Interval, maxInterval)
	}
	m, err := parse(wasm, opts)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return m.emit(), nil
}
