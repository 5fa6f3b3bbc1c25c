package data

// setting gives each row members, or replaces them; all values are computed from the row as it was. A single object is
// worked on like a row.
type setting []assignment

type assignment struct {
	to    pointer
	value expr
}

func parseSet(p *parser, arg []byte) (step, error) {
	var s setting
	var err error
	if !members(arg, func(k, raw []byte) bool {
		var a assignment
		if a.to, err = path(k); err != nil {
			return false
		}
		a.value, err = p.expr(raw)
		s = append(s, a)
		return err == nil
	}) {
		return nil, bad("an object is wanted, not %s", kind(arg))
	}
	return s, err
}

func (s setting) run(e *env, v *value) error { return perRow(e, v, s.append) }

func (s setting) append(e *env, b, row []byte) ([]byte, bool) {
	current := row
	for _, a := range s {
		if raw, ok := e.raw(a.value, row); ok {
			current = e.appendSet(nil, current, a.to, raw)
		}
	}
	return e.add(b, current), !e.over
}

// perRow is rebuild, or works on the value itself if that is an object.
func perRow(e *env, v *value, make func(e *env, b, row []byte) ([]byte, bool)) error {
	if v.isRows || v.raw[0] != '{' {
		return rebuild(e, v, make)
	}
	raw, _ := make(e, nil, v.raw)
	v.set(raw, true)
	return nil
}

// appendSet appends doc with raw in the place that to names. Objects missing on the way are made; an array's elements
// can be replaced, not added; where the way leads through another scalar than null, doc stays as it is.
func (e *env) appendSet(b, doc []byte, to pointer, raw []byte) []byte {
	if !e.spend(len(doc)) {
		return b
	}
	switch {
	case len(to) == 0:
		return e.add(b, raw)
	case string(doc) == "null":
		return e.appendSet(b, []byte("{}"), to, raw)
	case doc[0] == '{':
		return e.appendMember(b, doc, to, raw)
	case doc[0] == '[':
		i := findElement(doc, 0, to[0])
		if i < 0 {
			return e.add(b, doc)
		}
		end := past(doc, i)
		b = e.add(b, doc[:i])
		b = e.appendSet(b, doc[i:end], to[1:], raw)
		return e.add(b, doc[end:])
	}
	return e.add(b, doc)
}

// appendMember is appendSet for an object.
func (e *env) appendMember(b, doc []byte, to pointer, raw []byte) []byte {
	if i := findMember(doc, 0, to[0]); i >= 0 {
		end := past(doc, i)
		b = e.add(b, doc[:i])
		b = e.appendSet(b, doc[i:end], to[1:], raw)
		return e.add(b, doc[end:])
	}
	b = e.add(b, doc[:len(doc)-1])
	if doc[space(doc, 1)] != '}' {
		b = append(b, ',')
	}
	b = append(appendString(b, []byte(to[0])), ':')
	b = e.appendSet(b, []byte("null"), to[1:], raw)
	return append(b, '}')
}
