package data

// expr computes a JSON value from a row.
type expr interface {
	// append appends the value to b. It is false when there is none: a missing member, or what cannot be computed; then
	// b may have grown all the same.
	append(e *env, b, row []byte) ([]byte, bool)
}

// numeric is an expr that computes a number, which need not become text in between.
type numeric interface {
	number(e *env, row []byte) (float64, bool)
}

// raw is x's value; it may alias row.
func (e *env) raw(x expr, row []byte) ([]byte, bool) {
	switch x := x.(type) {
	case pointer:
		if !e.spend(len(row)) {
			return nil, false
		}
		return x.in(row)
	case constant:
		return x, true
	}
	return x.append(e, nil, row)
}

// number is x's value as a number.
func (e *env) number(x expr, row []byte) (float64, bool) {
	if n, ok := x.(numeric); ok {
		return n.number(e, row)
	}
	raw, ok := e.raw(x, row)
	if !ok {
		return 0, false
	}
	return parseNumber(raw)
}

// text is x's value as text.
func (e *env) text(x expr, row []byte) ([]byte, bool) {
	raw, ok := e.raw(x, row)
	if !ok {
		return nil, false
	}
	return Text(raw)
}

func (p pointer) append(e *env, b, row []byte) ([]byte, bool) {
	raw, ok := e.raw(p, row)
	if !ok {
		return b, false
	}
	return e.add(b, raw), !e.over
}

// constant is the same for every row.
type constant []byte

func (c constant) append(e *env, b, _ []byte) ([]byte, bool) { return e.add(b, c), !e.over }

// object builds an object; members without a value are left out.
type object []member

type member struct {
	key   []byte // with quotes and colon
	value expr
}

func (o object) append(e *env, b, row []byte) ([]byte, bool) {
	b = e.add(b, []byte{'{'})
	first := true
	for _, m := range o {
		keep := len(b)
		if !first {
			b = append(b, ',')
		}
		b = e.add(b, m.key)
		var ok bool
		if b, ok = m.value.append(e, b, row); !ok {
			b = b[:keep]
			continue
		}
		first = false
	}
	return append(b, '}'), !e.over
}

// array builds an array; elements without a value are null, so that places do not shift.
type array []expr

func (a array) append(e *env, b, row []byte) ([]byte, bool) {
	b = e.add(b, []byte{'['})
	for i, x := range a {
		if i > 0 {
			b = append(b, ',')
		}
		keep := len(b)
		var ok bool
		if b, ok = x.append(e, b, row); !ok {
			b = append(b[:keep], "null"...)
		}
	}
	return append(b, ']'), !e.over
}

// either is the first of several that has a value, and not null.
type either []expr

func (x either) append(e *env, b, row []byte) ([]byte, bool) {
	for _, option := range x {
		if raw, ok := e.raw(option, row); ok && string(raw) != "null" {
			return e.add(b, raw), !e.over
		}
	}
	return b, false
}

// joined is the texts of several in one string.
type joined []expr

func (x joined) append(e *env, b, row []byte) ([]byte, bool) {
	var text []byte
	for _, part := range x {
		t, ok := e.text(part, row)
		if !ok {
			return b, false
		}
		if text = e.add(text, t); e.over {
			return b, false
		}
	}
	b = appendString(b, text)
	e.over = e.over || int64(len(b)) > e.limit
	return b, !e.over
}
