package requestinfo

// validEscapes says whether every % begins an escape.
func validEscapes(s []byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		if i+2 >= len(s) || unhex[s[i+1]]|unhex[s[i+2]] > 15 {
			return false
		}
		i += 2
	}
	return true
}

// next is the query byte at s[i] decoded, and where the following one begins; ok is false for an invalid escape.
func next(s []byte, i int) (c byte, after int, ok bool) {
	switch c = s[i]; c {
	case '+':
		return ' ', i + 1, true
	case '%':
		if i+2 >= len(s) || unhex[s[i+1]]|unhex[s[i+2]] > 15 {
			return 0, 0, false
		}
		return unhex[s[i+1]]<<4 | unhex[s[i+2]], i + 3, true
	}
	return c, i + 1, true
}

// equalUnescaped says whether s decodes to want.
func equalUnescaped(s []byte, want string) bool {
	if len(s) < len(want) {
		return false
	}
	n := 0
	for i := 0; i < len(s); n++ {
		c, after, ok := next(s, i)
		if !ok || n >= len(want) || want[n] != c {
			return false
		}
		i = after
	}
	return n == len(want)
}

// unescapeQuery appends s, whose escapes are valid, to scratch in decoded form.
func unescapeQuery(s, scratch []byte) (string, []byte) {
	base := len(scratch)
	for i := 0; i < len(s); {
		c, after, ok := next(s, i)
		if !ok {
			break
		}
		scratch = append(scratch, c)
		i = after
	}
	return alias(scratch[base:]), scratch
}
