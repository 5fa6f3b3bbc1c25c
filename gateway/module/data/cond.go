package data

import "regexp"

// cond is a condition on a row.
type cond interface {
	holds(e *env, row []byte) bool
}

// all holds when each of it does; some when one does; not when its condition does not.
type (
	all  []cond
	some []cond
	not  struct{ cond }
)

func (c all) holds(e *env, row []byte) bool {
	for _, one := range c {
		if !one.holds(e, row) {
			return false
		}
	}
	return true
}

func (c some) holds(e *env, row []byte) bool {
	for _, one := range c {
		if one.holds(e, row) {
			return true
		}
	}
	return false
}

func (c not) holds(e *env, row []byte) bool { return !c.cond.holds(e, row) }

// exists holds when there is a value, null included.
type exists struct{ at expr }

func (c exists) holds(e *env, row []byte) bool {
	_, ok := e.raw(c.at, row)
	return ok
}

// oneOf holds when the value is among some, inline or of a source.
type oneOf struct {
	at   expr
	keys map[string]struct{}
	from *source
}

func (c oneOf) holds(e *env, row []byte) bool {
	k, ok := e.rowKey(c.at, row)
	if !ok {
		return false
	}
	keys := c.keys
	if c.from != nil {
		keys = e.set(c.from)
	}
	_, ok = keys[k]
	return ok
}

// set are the keys of a source's rows, read once a run.
func (e *env) set(s *source) map[string]struct{} {
	if keys, ok := e.sets[s]; ok {
		return keys
	}
	rows, err := s.rows(e)
	if err != nil {
		e.err = err
	}
	keys := keySet(rows)
	if e.sets == nil {
		e.sets = make(map[*source]map[string]struct{})
	}
	e.sets[s] = keys
	return keys
}

func keySet(rows [][]byte) map[string]struct{} {
	keys := make(map[string]struct{}, len(rows))
	for _, row := range rows {
		keys[key(row)] = struct{}{}
	}
	return keys
}

// matches holds when a regular expression matches somewhere in the value's text.
type matches struct {
	at      expr
	pattern *regexp.Regexp
}

func (c matches) holds(e *env, row []byte) bool {
	text, ok := e.text(c.at, row)
	return ok && c.pattern.Match(text)
}

// compared holds when the value is a number and less or greater than a bound; NaN is neither.
type compared struct {
	at      expr
	bound   float64
	greater bool
}

func (c compared) holds(e *env, row []byte) bool {
	f, ok := e.number(c.at, row)
	return ok && (c.greater && f > c.bound || !c.greater && f < c.bound)
}
