package data

// expr compiles an expression: a string is a JSON Pointer, an array one of expressions, an object with one member an
// operation; numbers, true, false and null stand for themselves.
func (p *parser) expr(raw []byte) (expr, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	switch raw[0] {
	case '"':
		at, err := path(raw)
		return at, err
	case '[':
		xs, err := p.exprs(raw)
		return array(xs), err
	case '{':
		op, arg, err := single(raw)
		if err != nil {
			return nil, bad("expression: %s", err)
		}
		return p.operation(op, arg)
	}
	return constant(raw), nil
}

func (p *parser) exprs(raw []byte) ([]expr, error) {
	rows, err := list(raw)
	if err != nil {
		return nil, err
	}
	xs := make([]expr, 0, len(rows))
	for _, row := range rows {
		x, err := p.expr(row)
		if err != nil {
			return nil, err
		}
		xs = append(xs, x)
	}
	return xs, nil
}

// operation compiles {op: arg}.
func (p *parser) operation(op string, arg []byte) (expr, error) {
	switch op {
	case "const":
		return constant(arg), nil
	case "object":
		return p.object(arg)
	case "either":
		xs, err := p.exprs(arg)
		return either(xs), err
	case "text":
		return p.joined(arg)
	case "decimal", "quantity", "unix", "length":
		return p.unary(op, arg)
	case "add", "sub", "mul", "div":
		return p.arithmetic(op, arg)
	case "round":
		return p.round(arg)
	case "each", "sum", "min", "max", "find":
		return p.overList(op, arg)
	}
	return nil, bad("there is no expression %q", op)
}

func (p *parser) object(arg []byte) (expr, error) {
	var o object
	var err error
	if !members(arg, func(key, value []byte) bool {
		var x expr
		if x, err = p.expr(value); err != nil {
			return false
		}
		o = append(o, member{key: append(key[:len(key):len(key)], ':'), value: x})
		return true
	}) {
		return nil, bad("object: an object is wanted, not %s", kind(arg))
	}
	return o, err
}

// joined compiles text: one expression, or an array of some.
func (p *parser) joined(arg []byte) (expr, error) {
	if arg[0] == '[' {
		xs, err := p.exprs(arg)
		return joined(xs), err
	}
	x, err := p.expr(arg)
	return joined{x}, err
}

func (p *parser) unary(op string, arg []byte) (expr, error) {
	x, err := p.expr(arg)
	if err != nil {
		return nil, err
	}
	switch op {
	case "decimal":
		return decimal{x}, nil
	case "quantity":
		return quantity{x}, nil
	case "unix":
		return unix{x}, nil
	}
	return size{x}, nil
}

func (p *parser) arithmetic(op string, arg []byte) (expr, error) {
	xs, err := p.exprs(arg)
	if err != nil {
		return nil, err
	}
	if len(xs) < 2 {
		return nil, bad("%s wants at least two operands, not %d", op, len(xs))
	}
	return arithmetic{of: xs, fold: folds[op]}, nil
}

// maxPlaces bounds round: float64 has no more decimal places than that worth keeping.
const maxPlaces = 30

func (p *parser) round(arg []byte) (expr, error) {
	rows, err := list(arg)
	if err != nil || len(rows) != 2 {
		return nil, bad("round wants an array of an expression and a number of places")
	}
	x, err := p.expr(rows[0])
	if err != nil {
		return nil, err
	}
	places, err := integer(rows[1])
	if err != nil || places > maxPlaces {
		return nil, bad("round wants 0 to %d places", maxPlaces)
	}
	return round{of: x, places: places}, nil
}

// overList compiles what goes through an array: {"of": …, "do": …}, do being the element itself by default.
func (p *parser) overList(op string, arg []byte) (expr, error) {
	known := []string{"of", "do", "where"}
	if op != "find" {
		known = known[:2]
	}
	args, err := fields(arg, known...)
	if err != nil {
		return nil, bad("%s: %s", op, err)
	}
	of, err := p.need(args, "of")
	if err != nil {
		return nil, bad("%s: %s", op, err)
	}
	do, err := p.option(args, "do", pointer{})
	if err != nil {
		return nil, err
	}
	switch op {
	case "each":
		return each{of: of, do: do}, nil
	case "sum":
		return over{of: of, do: do, fold: folds["add"], empty: true}, nil
	case "min", "max":
		return over{of: of, do: do, fold: folds[op]}, nil
	}
	where, err := p.conditions(args["where"])
	return find{of: of, do: do, where: where}, err
}

// need compiles an argument that must be there.
func (p *parser) need(args map[string][]byte, name string) (expr, error) {
	if args[name] == nil {
		return nil, bad("%q is missing", name)
	}
	return p.expr(args[name])
}

// option compiles an argument that may be left out.
func (p *parser) option(args map[string][]byte, name string, otherwise expr) (expr, error) {
	if args[name] == nil {
		return otherwise, nil
	}
	return p.expr(args[name])
}
