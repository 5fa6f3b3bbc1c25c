package data

import "strconv"

// parser compiles a program. It counts nodes, so that neither its size nor its recursion can grow out of hand.
type parser struct{ nodes int }

func (p *parser) count() error {
	if p.nodes++; p.nodes > MaxNodes {
		return tooLarge("program has more than %d nodes", MaxNodes)
	}
	return nil
}

// builders make each kind of step from the value of its only member.
var builders map[string]func(p *parser, arg []byte) (step, error)

func init() { // not in the declaration: the builders of some steps come back to it
	builders = map[string]func(p *parser, arg []byte) (step, error){
		"get": parseGet, "where": parseWhere, "sort": parseSort, "page": parsePage, "order": parseOrder, "map": parseMap,
		"build": parseBuild, "set": parseSet, "remove": parseRemove, "pick": parsePick, "concat": parseConcat,
		"join": parseJoin, "distinct": parseDistinct, "flatten": parseFlatten, "count": parseCount, "first": parseFirst,
	}
}

// steps compiles an array of steps.
func (p *parser) steps(raw []byte) ([]step, error) {
	rows, err := list(raw)
	if err != nil {
		return nil, bad("program: %s", err)
	}
	steps := make([]step, 0, len(rows))
	for i, row := range rows {
		op, arg, err := single(row)
		if err != nil {
			return nil, stepError(i, "?", err)
		}
		build := builders[op]
		if build == nil {
			return nil, stepError(i, op, bad("there is no such step"))
		}
		if err := p.count(); err != nil {
			return nil, stepError(i, op, err)
		}
		s, err := build(p, arg)
		if err != nil {
			return nil, stepError(i, op, err)
		}
		steps = append(steps, namedStep{step: s, op: op})
	}
	return steps, nil
}

// list is raw's elements.
func list(raw []byte) ([][]byte, error) {
	if raw[0] != '[' {
		return nil, bad("an array is wanted, not %s", kind(raw))
	}
	rows, _ := elements(nil, raw)
	return rows, nil
}

// oneOrList is raw's elements, or raw itself if it is no array.
func oneOrList(raw []byte) [][]byte {
	if rows, err := list(raw); err == nil {
		return rows
	}
	return [][]byte{raw}
}

// single is the name and the value of an object's only member.
func single(raw []byte) (name string, arg []byte, err error) {
	n := 0
	if !members(raw, func(key, value []byte) bool {
		text, _ := Text(key)
		name, arg = string(text), value
		n++
		return true
	}) {
		return "", nil, bad("an object is wanted, not %s", kind(raw))
	}
	if n != 1 {
		return "", nil, bad("an object with one member is wanted, not with %d", n)
	}
	return name, arg, nil
}

// fields are an object's members by name. Names that are not among known are refused, and repeated ones.
func fields(raw []byte, known ...string) (map[string][]byte, error) {
	found := make(map[string][]byte, len(known))
	var err error
	if !members(raw, func(key, value []byte) bool {
		text, _ := Text(key)
		name := string(text)
		if _, twice := found[name]; twice {
			err = bad("%q is there twice", name)
		}
		if !contains(known, name) {
			err = bad("%q is not one of %q", name, known)
		}
		found[name] = value
		return err == nil
	}) {
		return nil, bad("an object is wanted, not %s", kind(raw))
	}
	return found, err
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// str reads a string.
func str(raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", bad("a string is wanted, not %s", kind(raw))
	}
	text, ok := Text(raw)
	if !ok {
		return "", bad("%s is not a valid string", raw)
	}
	return string(text), nil
}

// integer reads a whole number from 0 to 2^53.
func integer(raw []byte) (int, error) {
	n, err := strconv.ParseUint(string(raw), 10, 53)
	if err != nil {
		return 0, bad("a whole number is wanted, not %.40s", raw)
	}
	return int(n), nil
}

// boolean reads true or false.
func boolean(raw []byte) (bool, error) {
	switch string(raw) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, bad("true or false is wanted, not %s", kind(raw))
}

// path reads a JSON Pointer.
func path(raw []byte) (pointer, error) {
	s, err := str(raw)
	if err != nil {
		return nil, err
	}
	p, ok := parsePointer(nil, s)
	if !ok {
		return nil, bad("%q is not a JSON Pointer", s)
	}
	if len(p) > MaxDepth {
		return nil, bad("a JSON Pointer has more than %d tokens", MaxDepth)
	}
	return p, nil
}
