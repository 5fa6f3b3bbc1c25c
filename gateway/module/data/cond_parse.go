package data

import "regexp"

// conditions compiles a condition, or an array of which all must hold; nil holds always.
func (p *parser) conditions(raw []byte) (all, error) {
	if raw == nil {
		return nil, nil
	}
	var cs all
	for _, one := range oneOrList(raw) {
		c, err := p.condition(one)
		if err != nil {
			return nil, err
		}
		cs = append(cs, c)
	}
	return cs, nil
}

// condition compiles {"all": […]}, {"any": […]}, {"not": …} or tests of one value.
func (p *parser) condition(raw []byte) (cond, error) {
	if err := p.count(); err != nil {
		return nil, err
	}
	op, arg, err := single(raw)
	if err == nil && (op == "all" || op == "any" || op == "not") {
		cs, err := p.conditions(arg)
		switch op {
		case "any":
			return some(cs), err
		case "not":
			return not{cs}, err
		}
		return cs, err
	}
	args, err := fields(raw, "at", "equals", "in", "matches", "exists", "less", "greater")
	if err != nil {
		return nil, bad("condition: %s", err)
	}
	at, err := p.option(args, "at", pointer{})
	if err != nil {
		return nil, err
	}
	delete(args, "at")
	if len(args) == 0 {
		return nil, bad("condition tests nothing")
	}
	return p.tests(at, args)
}

// tests compiles the tests of one value. All must hold.
func (p *parser) tests(at expr, args map[string][]byte) (cond, error) {
	var cs all
	for name, arg := range args {
		c, err := p.test(name, at, arg)
		if err != nil {
			return nil, bad("%s: %s", name, err)
		}
		cs = append(cs, c)
	}
	return cs, nil
}

func (p *parser) test(name string, at expr, arg []byte) (cond, error) {
	switch name {
	case "equals":
		return oneOf{at: at, keys: keySet([][]byte{arg})}, nil
	case "in":
		if rows, err := list(arg); err == nil {
			return oneOf{at: at, keys: keySet(rows)}, nil
		}
		s, err := p.source(arg)
		return oneOf{at: at, from: s}, err
	case "matches":
		return compilePattern(at, arg)
	case "exists":
		yes, err := boolean(arg)
		if err == nil && !yes {
			return not{exists{at}}, nil
		}
		return exists{at}, err
	}
	bound, ok := parseNumber(arg)
	if !ok {
		return nil, bad("a number is wanted, not %s", kind(arg))
	}
	return compared{at: at, bound: bound, greater: name == "greater"}, nil
}

func compilePattern(at expr, arg []byte) (cond, error) {
	s, err := str(arg)
	if err != nil {
		return nil, err
	}
	if len(s) > MaxPattern {
		return nil, bad("regular expression has more than %d bytes", MaxPattern)
	}
	re, err := regexp.Compile(s)
	if err != nil {
		return nil, bad("%s", err)
	}
	return matches{at: at, pattern: re}, nil
}
