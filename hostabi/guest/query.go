package guest

import "strings"

// Query are query parameters in the order they came.
type Query [][2]string

// Get is the first value of a parameter, "" if there is none.
func (q Query) Get(name string) string {
	for _, kv := range q {
		if kv[0] == name {
			return kv[1]
		}
	}
	return ""
}

// Has says whether a parameter is there, with or without a value.
func (q Query) Has(name string) bool {
	for _, kv := range q {
		if kv[0] == name {
			return true
		}
	}
	return false
}

// ParseQuery decodes a raw query as HTML forms encode it. What cannot be decoded is taken as it is.
func ParseQuery(raw string) Query {
	var q Query
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		q = append(q, [2]string{unescape(key), unescape(value)})
	}
	return q
}

func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case s[i] == '%' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			b = append(b, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
