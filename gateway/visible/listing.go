package visible

// field is a top-level field of a list: its name and value, as they were received.
type field struct{ name, value string }

// listing reads one list, or Table, as it comes.
type listing struct {
	in *values
	// field is called for every field but the objects' array. Its arguments last.
	field func(f field) error
	// array is called with the name of the objects' field, before the objects.
	array func(name string) error
	// item is called for every object of a list, and every row of a Table; its argument does not last.
	item func(b []byte) error
}

// lists says which of a list's fields has what is listed.
func lists(name string) bool { return name == "items" || name == "rows" }

// read reads the list to its end.
func (l *listing) read() error {
	if err := l.in.expect('{'); err != nil {
		return err
	}
	for first := true; ; first = false {
		c, err := l.in.peek()
		switch {
		case err != nil:
			return unexpected(err)
		case c == '}':
			return nil
		case !first:
			if err := l.in.expect(','); err != nil {
				return err
			}
		}
		if err := l.member(); err != nil {
			return err
		}
	}
}

// member reads one field, its name included.
func (l *listing) member() error {
	if c, err := l.in.peek(); err != nil || c != '"' {
		return first(unexpected(err), errSyntax)
	}
	quoted, err := l.in.value()
	if err != nil {
		return unexpected(err)
	}
	name := string(text(quoted))
	if err := l.in.expect(':'); err != nil {
		return err
	}
	if lists(name) {
		if err := l.array(name); err != nil {
			return err
		}
		if c, err := l.in.peek(); err == nil && c == '[' {
			return l.items()
		}
	}
	value, err := l.in.value()
	if err != nil {
		return unexpected(err)
	}
	if lists(name) { // null: nothing is listed
		return nil
	}
	return l.field(field{name, string(value)})
}

// items reads the array.
func (l *listing) items() error {
	if err := l.in.expect('['); err != nil {
		return err
	}
	for begun := false; ; begun = true {
		c, err := l.in.peek()
		switch {
		case err != nil:
			return unexpected(err)
		case c == ']':
			return l.in.expect(']')
		case begun:
			if err := l.in.expect(','); err != nil {
				return err
			}
		}
		item, err := l.in.value()
		if err != nil {
			return unexpected(err)
		}
		if err := l.item(item); err != nil {
			return err
		}
	}
}

// first is the first error that is one.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
