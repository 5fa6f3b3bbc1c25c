package data

// elements are the elements of a valid array, appended to into. null counts as an empty array, as Go's nil slices are
// written; anything else is false.
func elements(into [][]byte, raw []byte) ([][]byte, bool) {
	if string(raw) == "null" {
		return into, true
	}
	if len(raw) == 0 || raw[0] != '[' {
		return into, false
	}
	i := space(raw, 1)
	if i < len(raw) && raw[i] == ']' {
		return into, true
	}
	for i >= 0 {
		end := past(raw, i)
		if end < 0 || len(into) > MaxRows {
			return into, false
		}
		into = append(into, raw[i:end:end])
		i = next(raw, i, ']')
	}
	return into, true
}

// members calls f with the members of a valid object in order, keys with their quotes, until f returns false. It is
// false if raw is no object.
func members(raw []byte, f func(key, value []byte) bool) bool {
	if len(raw) == 0 || raw[0] != '{' {
		return false
	}
	for i := space(raw, 1); i >= 0 && i < len(raw) && raw[i] == '"'; {
		end := pastString(raw, i)
		if end < 0 {
			return false
		}
		key := raw[i:end]
		i = space(raw, end)
		i = space(raw, i+1)
		if end = past(raw, i); end < 0 {
			return false
		}
		if !f(key, raw[i:end:end]) {
			return true
		}
		i = next(raw, i, '}')
	}
	return true
}

// length counts elements or members; false for scalars.
func length(raw []byte) (n int, ok bool) {
	if members(raw, func(_, _ []byte) bool { n++; return true }) {
		return n, true
	}
	if len(raw) == 0 || raw[0] != '[' {
		return 0, false
	}
	i := space(raw, 1)
	if i < len(raw) && raw[i] == ']' {
		return 0, true
	}
	for ; i >= 0; i = next(raw, i, ']') {
		n++
	}
	return n, true
}

// Each calls f with the elements of an array in order, each aliasing raw, until f returns false. raw is a value that
// Get has given. What is no array has no elements.
func Each(raw []byte, f func(element []byte) bool) {
	if len(raw) == 0 || raw[0] != '[' {
		return
	}
	i := space(raw, 1)
	for i >= 0 && i < len(raw) && raw[i] != ']' {
		end := past(raw, i)
		if end < 0 || !f(raw[i:end:end]) {
			return
		}
		i = next(raw, i, ']')
	}
}
