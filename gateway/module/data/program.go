package data

import (
	"errors"
	"fmt"

	"github.com/posternhq/postern/hostabi"
)

// Program is a compiled program. It is immutable: many goroutines may run it at once.
type Program struct {
	steps []step
}

// step is one step of a program.
type step interface {
	run(e *env, v *value) error
}

// namedStep is a step with the name it has in its program.
type namedStep struct {
	step
	op string
}

// Compile reads a program: a JSON array of steps, each an object with one member. Errors name the step by its index
// and wrap hostabi.BadArgument, or hostabi.TooLarge for a program beyond the bounds.
func Compile(program []byte) (*Program, error) {
	if len(program) > MaxProgram {
		return nil, tooLarge("program has %d bytes, more than %d", len(program), MaxProgram)
	}
	raw, ok := whole(program)
	if !ok {
		return nil, bad("program is not valid JSON, or nests too deep")
	}
	steps, err := new(parser).steps(append([]byte(nil), raw...))
	if err != nil {
		return nil, err
	}
	return &Program{steps: steps}, nil
}

// Run takes input through the steps. No step's result may take more than limit bytes. docs answers for the handles that
// the program mentions; it may be nil if there are none. Errors name the step and wrap a hostabi.Code: BadArgument for
// what is not valid JSON or not what a step works on, NotFound for an unknown handle, TooLarge. The result is the
// caller's own.
func (p *Program) Run(docs Lookup, input []byte, limit int64) ([]byte, error) {
	e := &env{docs: docs, limit: limit}
	raw, ok := whole(input)
	if !ok {
		return nil, bad("input is not valid JSON, or nests too deep")
	}
	v := &value{raw: raw}
	if err := e.run(p.steps, v); err != nil {
		return nil, err
	}
	out, err := v.render(e)
	if err != nil {
		return nil, err
	}
	if len(p.steps) == 0 || !v.own {
		out = append([]byte(nil), out...)
	}
	return out, nil
}

// env is what one run of a program shares.
type env struct {
	docs  Lookup
	limit int64 // bytes of a step's result
	work  int64 // bytes looked at
	over  bool  // limit or MaxWork was reached; what was built is not whole
	err   error // a source could not be had
	sets  map[*source]map[string]struct{}
}

// run runs steps on v, one after the other.
func (e *env) run(steps []step, v *value) error {
	for i, s := range steps {
		err := s.run(e, v)
		if err == nil {
			err = e.err
		}
		if err == nil && e.over {
			err = e.overLimit()
		}
		if err != nil {
			return stepError(i, s.(namedStep).op, err)
		}
	}
	return nil
}

func (e *env) overLimit() error {
	if e.work > MaxWork {
		return tooLarge("program looks at more than %d bytes", int64(MaxWork))
	}
	return tooLarge("result is larger than %d bytes", e.limit)
}

// stepError says in which step err happened and keeps its code.
func stepError(i int, op string, err error) error {
	code := hostabi.Internal
	_ = errors.As(err, &code)
	return &failure{code: code, text: fmt.Sprintf("step %d (%s): %s", i, op, err)}
}

// spend counts n bytes of work. It is false when that was too much.
func (e *env) spend(n int) bool {
	if e.work += int64(n); e.work > MaxWork {
		e.over = true
	}
	return !e.over
}

// add appends raw to b, unless that makes b larger than limit.
func (e *env) add(b, raw []byte) []byte {
	if int64(len(b)+len(raw)) > e.limit {
		e.over = true
		return b
	}
	return append(b, raw...)
}

// value is what is handed from step to step: one JSON value, or the elements of an array.
type value struct {
	raw    []byte
	rows   [][]byte
	isRows bool
	own    bool // raw is memory of this run's own
}

// set makes v one value.
func (v *value) set(raw []byte, own bool) { *v = value{raw: raw, own: own} }

// setRows makes v an array.
func (v *value) setRows(rows [][]byte) { *v = value{rows: rows, isRows: true} }

// list is v as rows. The slice is the caller's to reorder.
func (v *value) list() ([][]byte, error) {
	if v.isRows {
		return v.rows, nil
	}
	if len(v.raw) > 0 && v.raw[0] != '[' && string(v.raw) != "null" {
		return nil, bad("works on an array, not on %s", kind(v.raw))
	}
	rows, ok := elements(nil, v.raw)
	if !ok || len(rows) > MaxRows {
		return nil, tooLarge("array has more than %d rows", MaxRows)
	}
	return rows, nil
}

// render is v as one value.
func (v *value) render(e *env) ([]byte, error) {
	if !v.isRows {
		if int64(len(v.raw)) > e.limit {
			return nil, e.overLimit()
		}
		return v.raw, nil
	}
	size := int64(2 + len(v.rows))
	for _, row := range v.rows {
		size += int64(len(row))
	}
	if size > e.limit+1 {
		return nil, e.overLimit()
	}
	b := append(make([]byte, 0, size), '[')
	for i, row := range v.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, row...)
	}
	v.set(append(b, ']'), true)
	return v.raw, nil
}

// kind is what raw is, in words.
func kind(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}
