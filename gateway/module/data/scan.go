package data

import "bytes"

// The scanner comes twice. past and its kind hop over a value by its quotes and brackets: fast, and right for valid
// documents. check and its kind hold every byte against RFC 8259, for what is handed out or worked on.

// space is the index of the first byte from i on that is not white space.
func space(doc []byte, i int) int {
	for i < len(doc) && (doc[i] == ' ' || doc[i] == '\n' || doc[i] == '\t' || doc[i] == '\r') {
		i++
	}
	return i
}

// past is the index behind the value that begins at i; -1 if the document ends before.
func past(doc []byte, i int) int {
	if i >= len(doc) {
		return -1
	}
	switch doc[i] {
	case '"':
		return pastString(doc, i)
	case '{', '[':
		return pastNested(doc, i)
	}
	j := i
	for j < len(doc) && !ends[doc[j]] {
		j++
	}
	if j == i {
		return -1
	}
	return j
}

// ends marks the bytes that end a number or a literal.
var ends = [256]bool{' ': true, '\n': true, '\t': true, '\r': true, ',': true, ':': true, ']': true, '}': true, '[': true, '{': true, '"': true}

// pastString is past for a string: a quote ends it if an even number of backslashes is before it.
func pastString(doc []byte, i int) int {
	for j := i + 1; j < len(doc); j++ {
		n := bytes.IndexByte(doc[j:], '"')
		if n < 0 {
			return -1
		}
		j += n
		k := j
		for doc[k-1] == '\\' {
			k--
		}
		if (j-k)%2 == 0 {
			return j + 1
		}
	}
	return -1
}

// pastNested is past for an object or an array. It counts brackets without regard to their kind.
func pastNested(doc []byte, i int) int {
	for depth := 0; i < len(doc); i++ {
		switch doc[i] {
		case '"':
			j := pastString(doc, i)
			if j < 0 {
				return -1
			}
			i = j - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// whole is doc without the white space around it, if it is one valid value.
func whole(doc []byte) ([]byte, bool) {
	i := space(doc, 0)
	end := check(doc, i, 0)
	if end < 0 || space(doc, end) != len(doc) {
		return nil, false
	}
	return doc[i:end:end], true
}

// check is the index behind the valid value that begins at i; -1 if there is none, or it nests deeper than MaxDepth.
func check(doc []byte, i, depth int) int {
	if i >= len(doc) {
		return -1
	}
	switch doc[i] {
	case '"':
		return checkString(doc, i)
	case '{':
		return checkObject(doc, i, depth+1)
	case '[':
		return checkArray(doc, i, depth+1)
	case 't':
		return checkLiteral(doc, i, "true")
	case 'f':
		return checkLiteral(doc, i, "false")
	case 'n':
		return checkLiteral(doc, i, "null")
	}
	return checkNumber(doc, i)
}

func checkLiteral(doc []byte, i int, literal string) int {
	if end := i + len(literal); end <= len(doc) && string(doc[i:end]) == literal {
		return end
	}
	return -1
}

func checkArray(doc []byte, i, depth int) int {
	if depth > MaxDepth {
		return -1
	}
	if i = space(doc, i+1); i < len(doc) && doc[i] == ']' {
		return i + 1
	}
	for {
		if i = check(doc, i, depth); i < 0 {
			return -1
		}
		if i = space(doc, i); i >= len(doc) {
			return -1
		}
		if doc[i] == ']' {
			return i + 1
		}
		if doc[i] != ',' {
			return -1
		}
		i = space(doc, i+1)
	}
}

func checkObject(doc []byte, i, depth int) int {
	if depth > MaxDepth {
		return -1
	}
	if i = space(doc, i+1); i < len(doc) && doc[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(doc) || doc[i] != '"' {
			return -1
		}
		if i = checkString(doc, i); i < 0 {
			return -1
		}
		if i = space(doc, i); i >= len(doc) || doc[i] != ':' {
			return -1
		}
		if i = check(doc, space(doc, i+1), depth); i < 0 {
			return -1
		}
		if i = space(doc, i); i >= len(doc) {
			return -1
		}
		if doc[i] == '}' {
			return i + 1
		}
		if doc[i] != ',' {
			return -1
		}
		i = space(doc, i+1)
	}
}
