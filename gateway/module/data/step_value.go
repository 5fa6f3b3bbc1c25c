package data

import "strconv"

// get goes on with one value of the current one; with null, if it is not there.
type get struct{ at pointer }

func parseGet(_ *parser, arg []byte) (step, error) {
	at, err := path(arg)
	return get{at}, err
}

func (s get) run(e *env, v *value) error {
	raw, err := v.render(e)
	if err != nil {
		return err
	}
	e.spend(len(raw))
	found, ok := s.at.in(raw)
	if !ok {
		found = []byte("null")
	}
	v.set(found, false)
	return nil
}

// mapped puts what an expression makes of each row in the row's place; rows of which it makes nothing go.
type mapped struct{ to expr }

func parseMap(p *parser, arg []byte) (step, error) {
	x, err := p.expr(arg)
	return mapped{x}, err
}

func (s mapped) run(e *env, v *value) error {
	return rebuild(e, v, s.to.append)
}

// rebuild makes each row anew, all in one buffer. Rows for which make is false go.
func rebuild(e *env, v *value, make func(e *env, b, row []byte) ([]byte, bool)) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	var b []byte
	built := rows[:0:0]
	for _, row := range rows {
		start := len(b)
		grown, ok := make(e, b, row)
		if e.over || e.err != nil {
			return nil
		}
		if !ok {
			b = grown[:start]
			continue
		}
		b = grown
		built = append(built, b[start:len(b):len(b)])
	}
	v.setRows(built)
	return nil
}

// build puts what an expression makes of the whole value in its place.
type build struct{ to expr }

func parseBuild(p *parser, arg []byte) (step, error) {
	x, err := p.expr(arg)
	return build{x}, err
}

func (s build) run(e *env, v *value) error {
	raw, err := v.render(e)
	if err != nil {
		return err
	}
	made, ok := s.to.append(e, nil, raw)
	if !ok {
		made = []byte("null")
	}
	v.set(made, true)
	return nil
}

// count puts the number of rows in their place.
type count struct{}

func parseCount(_ *parser, arg []byte) (step, error) { return count{}, always(arg) }

func (count) run(_ *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	v.set(strconv.AppendInt(nil, int64(len(rows)), 10), true)
	return nil
}

// first puts the first row in the place of all; null, if there is none.
type first struct{}

func parseFirst(_ *parser, arg []byte) (step, error) { return first{}, always(arg) }

func (first) run(_ *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		rows = [][]byte{[]byte("null")}
	}
	v.set(rows[0], false)
	return nil
}

// always reads the argument of steps that need none: true.
func always(arg []byte) error {
	if string(arg) != "true" {
		return bad("true is wanted, not %s", kind(arg))
	}
	return nil
}
