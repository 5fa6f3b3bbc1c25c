// Package data is the work on JSON that the host does for modules, behind their handles: reading a value out of a
// document, and turning documents into other ones by a small program of steps (README.md has the language). It works on
// raw bytes and decodes what it must look at only; what it copies through stays byte for byte as it was.
package data

import (
	"fmt"

	"github.com/posternhq/postern/hostabi"
)

// What bounds the work. A document or program beyond a bound is refused, never cut.
const (
	MaxDepth   = 256       // objects and arrays within each other, in a document
	MaxProgram = 256 << 10 // bytes of a program, inline rows included
	MaxNodes   = 2048      // steps, conditions and expressions of a program
	MaxRows    = 1 << 20   // rows at a time; a row costs 24 bytes besides its own
	MaxPattern = 4096      // bytes of a regular expression
	// MaxWork bounds what one run may look at, bytes, counted each time they are: about two seconds of CPU.
	MaxWork = 2 << 30
)

// Lookup finds the document behind a handle, for programs that work with several. It is called at most once per
// mention; the bytes are not written to.
type Lookup func(handle uint32) (doc []byte, ok bool)

// Transform compiles program and runs it on input. See Program.Run.
func Transform(docs Lookup, input, program []byte, limit int64) ([]byte, error) {
	p, err := Compile(program)
	if err != nil {
		return nil, err
	}
	return p.Run(docs, input, limit)
}

// failure is an error with a code of the ABI.
type failure struct {
	code hostabi.Code
	text string
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.code }

// bad is a failure that is the program's or the document's own fault.
func bad(format string, args ...any) error {
	return &failure{code: hostabi.BadArgument, text: fmt.Sprintf(format, args...)}
}

// tooLarge is a failure on a bound.
func tooLarge(format string, args ...any) error {
	return &failure{code: hostabi.TooLarge, text: fmt.Sprintf(format, args...)}
}
