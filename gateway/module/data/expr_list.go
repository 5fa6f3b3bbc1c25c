package data

// elements are the elements of x's value; none if it is no array.
func (e *env) elements(x expr, row []byte) [][]byte {
	raw, ok := e.raw(x, row)
	if !ok {
		return nil
	}
	var room [8][]byte
	rows, ok := elements(room[:0], raw)
	if !ok {
		return nil
	}
	return rows
}

// each is an array of what every element of an array gives; elements that give nothing are left out.
type each struct{ of, do expr }

func (x each) append(e *env, b, row []byte) ([]byte, bool) {
	b = e.add(b, []byte{'['})
	first := true
	for _, element := range e.elements(x.of, row) {
		keep := len(b)
		if !first {
			b = append(b, ',')
		}
		var ok bool
		if b, ok = x.do.append(e, b, element); !ok {
			b = b[:keep]
			continue
		}
		first = false
	}
	return append(b, ']'), !e.over
}

// find is what the first element that meets the conditions gives.
type find struct {
	of, do expr
	where  all
}

func (x find) append(e *env, b, row []byte) ([]byte, bool) {
	for _, element := range e.elements(x.of, row) {
		if x.where.holds(e, element) {
			return x.do.append(e, b, element)
		}
	}
	return b, false
}
