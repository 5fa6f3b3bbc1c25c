package data

// shape is a tree of pointers. An array on a pointer's way is gone through: what follows counts for each element.
type shape struct {
	whole bool // a pointer ends here
	below map[string]*shape
}

// parseShape compiles an array of pointers.
func parseShape(arg []byte) (*shape, error) {
	rows, err := list(arg)
	if err != nil {
		return nil, err
	}
	root := &shape{}
	for _, row := range rows {
		p, err := path(row)
		if err != nil {
			return nil, err
		}
		root.add(p)
	}
	if len(rows) == 0 {
		return nil, bad("no pointer is given")
	}
	return root, nil
}

func (s *shape) add(p pointer) {
	if len(p) == 0 {
		s.whole = true
		return
	}
	if s.below == nil {
		s.below = make(map[string]*shape)
	}
	if s.below[p[0]] == nil {
		s.below[p[0]] = &shape{}
	}
	s.below[p[0]].add(p[1:])
}

// pick keeps the members that pointers name, in the places where they are; remove drops them. A single object is
// worked on like a row.
type pick struct {
	*shape
	drop bool
}

func parsePick(_ *parser, arg []byte) (step, error) {
	s, err := parseShape(arg)
	return pick{shape: s}, err
}

func parseRemove(_ *parser, arg []byte) (step, error) {
	s, err := parseShape(arg)
	if err == nil && s.whole {
		err = bad("the whole row cannot be removed: use where")
	}
	return pick{shape: s, drop: true}, err
}

func (s pick) run(e *env, v *value) error {
	return perRow(e, v, func(e *env, b, row []byte) ([]byte, bool) {
		return s.append(e, b, row, s.shape), !e.over
	})
}

// append appends what s leaves of doc.
func (s pick) append(e *env, b, doc []byte, at *shape) []byte {
	switch {
	case !e.spend(len(doc)):
		return b
	case at.below == nil || doc[0] != '{' && doc[0] != '[' || at.whole && !s.drop:
		return e.add(b, doc)
	case doc[0] == '{':
		return s.appendObject(e, b, doc, at)
	}
	b = e.add(b, []byte{'['})
	open := len(b)
	rows, _ := elements(nil, doc)
	for _, row := range rows {
		if len(b) > open {
			b = append(b, ',')
		}
		b = s.append(e, b, row, at)
	}
	return append(b, ']')
}

// skips says whether a member goes altogether.
func (s pick) skips(child *shape, value []byte) bool {
	switch {
	case child == nil:
		return !s.drop
	case s.drop || child.whole:
		return s.drop && child.whole
	}
	return value[0] != '{' && value[0] != '['
}

func (s pick) appendObject(e *env, b, doc []byte, at *shape) []byte {
	b = e.add(b, []byte{'{'})
	open := len(b)
	members(doc, func(key, value []byte) bool {
		name, _ := Text(key)
		child := at.below[string(name)]
		if s.skips(child, value) {
			return true
		}
		if len(b) > open {
			b = append(b, ',')
		}
		b = append(e.add(b, key), ':')
		if child == nil {
			child = &shape{}
		}
		b = s.append(e, b, value, child)
		return !e.over
	})
	return append(b, '}')
}
