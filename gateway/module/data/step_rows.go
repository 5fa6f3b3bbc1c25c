package data

// where keeps the rows that meet the conditions.
type where struct{ all }

func parseWhere(p *parser, arg []byte) (step, error) {
	cs, err := p.conditions(arg)
	return where{cs}, err
}

func (s where) run(e *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	kept := rows[:0:0]
	for _, row := range rows {
		if s.holds(e, row) {
			kept = append(kept, row)
		}
	}
	v.setRows(kept)
	return nil
}

// page cuts a window out of the rows.
type page struct{ offset, limit int }

func parsePage(_ *parser, arg []byte) (step, error) {
	args, err := fields(arg, "offset", "limit")
	if err != nil {
		return nil, err
	}
	s := page{limit: MaxRows}
	if raw := args["offset"]; raw != nil {
		if s.offset, err = integer(raw); err != nil {
			return nil, err
		}
	}
	if raw := args["limit"]; raw != nil {
		s.limit, err = integer(raw)
	}
	return s, err
}

func (s page) run(_ *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	rows = rows[min(s.offset, len(rows)):]
	v.setRows(rows[:min(s.limit, len(rows))])
	return nil
}

// distinct keeps the first row of each key. Rows without the key all stay.
type distinct struct{ key expr }

func parseDistinct(p *parser, arg []byte) (step, error) {
	x, err := p.expr(arg)
	return distinct{x}, err
}

func (s distinct) run(e *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	seen := make(map[string]struct{}, len(rows))
	kept := rows[:0:0]
	for _, row := range rows {
		k, ok := e.rowKey(s.key, row)
		if _, again := seen[k]; ok && again {
			continue
		}
		if ok {
			seen[k] = struct{}{}
		}
		kept = append(kept, row)
	}
	v.setRows(kept)
	return nil
}

// flatten puts the elements of an array in each row in the rows' place.
type flatten struct{ of expr }

func parseFlatten(p *parser, arg []byte) (step, error) {
	x, err := p.expr(arg)
	return flatten{x}, err
}

func (s flatten) run(e *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	var flat [][]byte
	for _, row := range rows {
		flat = append(flat, e.elements(s.of, row)...)
		if len(flat) > MaxRows {
			return tooLarge("result has more than %d rows", MaxRows)
		}
	}
	v.setRows(flat)
	return nil
}

// concat appends the rows of sources.
type concat []*source

func parseConcat(p *parser, arg []byte) (step, error) {
	rows, err := list(arg)
	if err != nil {
		return nil, err
	}
	var s concat
	for _, row := range rows {
		from, err := p.source(row)
		if err != nil {
			return nil, err
		}
		s = append(s, from)
	}
	return s, nil
}

func (s concat) run(e *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	rows = rows[:len(rows):len(rows)]
	for _, from := range s {
		more, err := from.rows(e)
		if err != nil {
			return err
		}
		if rows = append(rows, more...); len(rows) > MaxRows {
			return tooLarge("result has more than %d rows", MaxRows)
		}
	}
	v.setRows(rows)
	return nil
}
