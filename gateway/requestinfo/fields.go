package requestinfo

import "strings"

// nameInFields is the name that a field selector asks for, and no other: metadata.name=x is authorized as that object,
// as Kubernetes does it. Empty if there is none, or if the selector cannot be read: then kube-apiserver refuses it. A name
// with escapes is appended to scratch.
//
// Kubernetes also drops the name when limit, timeoutSeconds or labelSelector cannot be read. That makes no difference to
// what may happen, since it answers 400 to all of them.
func nameInFields(selector string, scratch []byte) (string, []byte) {
	var best string // Kubernetes sorts the terms and takes the first
	found := false
	for selector != "" {
		var term string
		term, selector = cutTerm(selector)
		if term == "" {
			continue
		}
		field, value, equal, ok := splitTerm(term)
		if !ok || !validValue(value) {
			return "", scratch
		}
		if equal && field == "metadata.name" && (!found || term < best) {
			best, found = term, true
		}
	}
	if !found {
		return "", scratch
	}
	_, value, _, _ := splitTerm(best)
	name, scratch := unescapeValue(value, scratch)
	if name == "." || name == ".." || strings.ContainsAny(name, "/%") {
		return "", scratch // not a name that a path could have
	}
	return name, scratch
}

// cutTerm cuts at the first comma that has no backslash before it.
func cutTerm(s string) (term, rest string) {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// splitTerm cuts at the first !=, == or =.
func splitTerm(term string) (field, value string, equal, ok bool) {
	i := strings.IndexByte(term, '=')
	switch {
	case i < 0:
		return "", "", false, false
	case i > 0 && term[i-1] == '!':
		return term[:i-1], term[i+1:], false, true
	case strings.HasPrefix(term[i+1:], "="):
		return term[:i], term[i+2:], true, true
	}
	return term[:i], term[i+1:], true, true
}

// validValue says whether a backslash, comma or equals sign stands in v only behind a backslash.
func validValue(v string) bool {
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case ',', '=':
			return false
		case '\\':
			if i++; i == len(v) || !strings.ContainsRune(`\,=`, rune(v[i])) {
				return false
			}
		}
	}
	return true
}

// unescapeValue drops the backslashes of a valid value.
func unescapeValue(v string, scratch []byte) (string, []byte) {
	if strings.IndexByte(v, '\\') < 0 {
		return v, scratch
	}
	base := len(scratch)
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' {
			i++
		}
		scratch = append(scratch, v[i])
	}
	return alias(scratch[base:]), scratch
}
