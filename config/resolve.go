package config

import (
	"reflect"
	"slices"
	"strings"
)

// target is what the name of a variable, or the path of a flag, means.
type target struct {
	at       path
	typ      reflect.Type // nil: a value inside a map of anything
	secret   bool
	fallback string // the default, for addresses that are changed in part
}

// resolveVariable finds the key that the rest of a KUBESPHERE_ variable means:
// words in upper case between underscores. have is the configuration so far;
// it gives the spelling of names in tables and maps.
func resolveVariable(name string, have any) (target, bool) {
	return variableIn(reflect.TypeFor[Config](), strings.ToUpper(name), nil, have)
}

func variableIn(t reflect.Type, name string, at path, have any) (target, bool) {
	for _, f := range fieldsOf(t) {
		key := strings.ToUpper(f.key)
		if name == key {
			return target{at.with(f.key), f.typ, f.secret(), f.tag.Get("default")}, true
		}
		rest, ok := strings.CutPrefix(name, key+"_")
		if !ok || rest == "" {
			continue
		}
		below := dig(have, f.key)
		switch shapeOf(f.typ) {
		case section:
			return variableIn(f.typ, rest, at.with(f.key), below)
		case table:
			return variableInTable(f.typ, rest, at.with(f.key), below)
		case free:
			word := spelling(rest, below)
			return target{at: at.with(f.key).with(word), secret: soundsSecret(word)}, true
		}
	}
	return target{}, false
}

// variableInTable tries each underscore as the end of the name; the name is
// the shortest one after which a known key follows.
func variableInTable(t reflect.Type, name string, at path, have any) (target, bool) {
	for i := 1; i < len(name); i++ {
		if name[i] != '_' {
			continue
		}
		word := spelling(name[:i], have)
		if found, ok := variableIn(t.Elem(), name[i+1:], at.with(word), dig(have, word)); ok {
			return found, true
		}
	}
	return target{}, false
}

// spelling returns the name in have that a variable means by word, and else
// the word in lower case with dashes, as Kubernetes names are.
func spelling(word string, have any) string {
	names, _ := have.(map[string]any)
	best := ""
	for name := range names {
		if variableWord(name) == word && (best == "" || name < best) {
			best = name
		}
	}
	if best != "" {
		return best
	}
	return strings.ReplaceAll(strings.ToLower(word), "_", "-")
}

func variableWord(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, name)
}

// resolvePath finds the key that a dotted path means, without regard to case.
// If there is none, the nearest known one comes back as text.
func resolvePath(words path) (found target, nearest string, ok bool) {
	t := reflect.TypeFor[Config]()
	var at path
	secret, fallback := false, ""
	for i, word := range words {
		if word == "" {
			return target{}, "", false
		}
		switch shapeOf(t) {
		case section:
			f, known := findField(t, word)
			if !known {
				return target{}, nearestKey(t, at, word), false
			}
			at, t, secret, fallback = at.with(f.key), f.typ, f.secret(), f.tag.Get("default")
		case table:
			at, t = at.with(word), t.Elem()
		case free:
			last := words[len(words)-1]
			return target{at: slices.Concat(at, words[i:]), secret: soundsSecret(last)}, "", true
		default:
			return target{}, at.String(), false
		}
	}
	return target{at, t, secret, fallback}, "", true
}
