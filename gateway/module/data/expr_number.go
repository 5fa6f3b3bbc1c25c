package data

import (
	"math"
	"strconv"
	"time"
)

// decimal is a number as a string in plain decimal notation.
type decimal struct{ of expr }

func (x decimal) append(e *env, b, row []byte) ([]byte, bool) {
	if _, computed := x.of.(numeric); !computed {
		if text, ok := e.text(x.of, row); ok && shortest(text) {
			b = append(b, '"')
			return append(append(b, text...), '"'), true
		}
	}
	f, ok := e.number(x.of, row)
	if !ok {
		return b, false
	}
	return appendDecimal(b, f), true
}

// quantity is a Kubernetes quantity as a number.
type quantity struct{ of expr }

func (x quantity) number(e *env, row []byte) (float64, bool) {
	raw, ok := e.raw(x.of, row)
	if !ok {
		return 0, false
	}
	return parseQuantity(raw)
}

// unix is an RFC 3339 time as Unix seconds.
type unix struct{ of expr }

func (x unix) number(e *env, row []byte) (float64, bool) {
	text, ok := e.text(x.of, row)
	if !ok {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return 0, false
	}
	return float64(t.UnixMilli()) / 1e3, true
}

// size is the number of elements or members.
type size struct{ of expr }

func (x size) number(e *env, row []byte) (float64, bool) {
	raw, ok := e.raw(x.of, row)
	if !ok {
		return 0, false
	}
	n, ok := length(raw)
	return float64(n), ok
}

// arithmetic folds numbers from the left; without one of them there is no result.
type arithmetic struct {
	of   []expr
	fold func(a, b float64) float64
}

func (x arithmetic) number(e *env, row []byte) (float64, bool) {
	total, ok := e.number(x.of[0], row)
	for _, operand := range x.of[1:] {
		f, is := e.number(operand, row)
		total, ok = x.fold(total, f), ok && is
	}
	return total, ok
}

// folds are the foldings of arithmetic and of over. Dividing by zero gives an infinity or NaN, as in IEEE 754.
var folds = map[string]func(a, b float64) float64{
	"add": func(a, b float64) float64 { return a + b },
	"sub": func(a, b float64) float64 { return a - b },
	"mul": func(a, b float64) float64 { return a * b },
	"div": func(a, b float64) float64 { return a / b },
	"min": math.Min,
	"max": math.Max,
}

// round is a number rounded half to even at a decimal place.
type round struct {
	of     expr
	places int
}

func (x round) number(e *env, row []byte) (float64, bool) {
	f, ok := e.number(x.of, row)
	if !ok {
		return 0, false
	}
	f, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', x.places, 64), 64)
	return f, err == nil
}

// over folds what each element of an array gives; elements that give no number do not count.
type over struct {
	of, do expr
	fold   func(a, b float64) float64
	empty  bool // an empty array has a result: 0
}

func (x over) number(e *env, row []byte) (total float64, ok bool) {
	for _, element := range e.elements(x.of, row) {
		f, is := e.number(x.do, element)
		switch {
		case is && ok:
			total = x.fold(total, f)
		case is:
			total, ok = f, true
		}
	}
	return total, ok || x.empty
}

func (x quantity) append(e *env, b, row []byte) ([]byte, bool)   { return number(x, e, b, row) }
func (x unix) append(e *env, b, row []byte) ([]byte, bool)       { return number(x, e, b, row) }
func (x size) append(e *env, b, row []byte) ([]byte, bool)       { return number(x, e, b, row) }
func (x arithmetic) append(e *env, b, row []byte) ([]byte, bool) { return number(x, e, b, row) }
func (x round) append(e *env, b, row []byte) ([]byte, bool)      { return number(x, e, b, row) }
func (x over) append(e *env, b, row []byte) ([]byte, bool)       { return number(x, e, b, row) }

// number appends what x computes.
func number(x numeric, e *env, b, row []byte) ([]byte, bool) {
	f, ok := x.number(e, row)
	if !ok {
		return b, false
	}
	return appendNumber(b, f), true
}
