package data

// order puts the rows into the order of a list of keys: of each key the first row, in its place; other rows go.
type order struct {
	key     expr
	keys    *source
	missing expr // what stands for a key without a row, made of the key; nil: nothing
}

func parseOrder(p *parser, arg []byte) (step, error) {
	args, err := fields(arg, "key", "keys", "missing")
	if err != nil {
		return nil, err
	}
	var s order
	if s.key, err = p.need(args, "key"); err != nil {
		return nil, err
	}
	if args["keys"] == nil {
		return nil, bad(`"keys" is missing`)
	}
	if s.keys, err = p.source(args["keys"]); err != nil {
		return nil, err
	}
	s.missing, err = p.option(args, "missing", nil)
	return s, err
}

func (s order) run(e *env, v *value) error {
	rows, err := v.list()
	if err != nil {
		return err
	}
	keys, err := s.keys.rows(e)
	if err != nil {
		return err
	}
	index := e.index(s.key, rows)
	ordered, made := make([][]byte, 0, len(keys)), int64(0)
	for _, k := range keys {
		row, ok := index[key(k)]
		if !ok && s.missing != nil {
			row, ok = s.missing.append(e, nil, k)
			made += int64(len(row))
		}
		if e.over = e.over || made > e.limit; e.over {
			return nil
		}
		if ok {
			ordered = append(ordered, row)
		}
	}
	v.setRows(ordered)
	return nil
}

// index is the first row of each key.
func (e *env) index(x expr, rows [][]byte) map[string][]byte {
	index := make(map[string][]byte, len(rows))
	for _, row := range rows {
		if k, ok := e.rowKey(x, row); ok {
			if _, again := index[k]; !again {
				index[k] = row
			}
		}
	}
	return index
}

// join gives each row a member with what belongs to it in a source.
type join struct {
	with       *source
	key, other expr
	take       expr
	as         pointer
	drop       bool // rows that nothing belongs to
}

func parseJoin(p *parser, arg []byte) (step, error) {
	args, err := fields(arg, "with", "key", "other", "take", "as", "missing")
	if err != nil {
		return nil, err
	}
	var s join
	if args["with"] == nil || args["as"] == nil {
		return nil, bad(`"with" or "as" is missing`)
	}
	if s.with, err = p.source(args["with"]); err != nil {
		return nil, err
	}
	if s.key, err = p.need(args, "key"); err != nil {
		return nil, err
	}
	if s.other, err = p.option(args, "other", s.key); err != nil {
		return nil, err
	}
	if s.take, err = p.option(args, "take", pointer{}); err != nil {
		return nil, err
	}
	if s.as, err = path(args["as"]); err != nil || len(s.as) == 0 {
		return nil, bad(`"as" is not a JSON Pointer to a member`)
	}
	s.drop, err = dropMissing(args["missing"])
	return s, err
}

// dropMissing reads "drop", or "keep", the default.
func dropMissing(raw []byte) (bool, error) {
	switch string(raw) {
	case `"drop"`:
		return true, nil
	case `"keep"`, "":
		return false, nil
	}
	return false, bad(`"missing" is neither "keep" nor "drop"`)
}

func (s join) run(e *env, v *value) error {
	others, err := s.with.rows(e)
	if err != nil {
		return err
	}
	index := e.index(s.other, others)
	return rebuild(e, v, func(e *env, b, row []byte) ([]byte, bool) {
		if k, ok := e.rowKey(s.key, row); ok {
			if other, ok := index[k]; ok {
				if taken, ok := e.raw(s.take, other); ok {
					return e.appendSet(b, row, s.as, taken), true
				}
			}
		}
		return e.add(b, row), !s.drop
	})
}
