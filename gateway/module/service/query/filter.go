package query

import (
	"bytes"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/labels"
)

// filter says whether an object stays.
type filter func(r *Row) bool

// maker makes a filter of a key's value.
type maker func(value string) (filter, error)

// standard are the filters of every list, by their keys.
var standard = map[string]maker{
	"name": func(value string) (filter, error) {
		return func(r *Row) bool { return strings.Contains(r.Name, value) }, nil
	},
	"names": func(value string) (filter, error) {
		names := set(strings.Split(value, ","))
		return func(r *Row) bool { return names[r.Name] }, nil
	},
	"namespace": func(value string) (filter, error) {
		return func(r *Row) bool { return r.Namespace == value }, nil
	},
	"labelSelector":  selected,
	"label":          selected,
	"annotation":     annotated,
	"alias":          at("substring", "/metadata/annotations/kubesphere.io~1alias-name"),
	"uid":            at("exact", "/metadata/uid"),
	"ownerReference": at("exact", "/metadata/ownerReferences/uid"),
	"ownerKind":      at("exact", "/metadata/ownerReferences/kind"),
}

func set(names []string) map[string]bool {
	all := make(map[string]bool, len(names))
	for _, name := range names {
		all[name] = true
	}
	return all
}

// at makes filters that compare what is at a pointer: exact, substring or absent.
func at(how, pointer string) maker {
	return func(value string) (filter, error) {
		p, err := parsePath(pointer)
		if err != nil {
			return nil, err
		}
		text := []byte(value)
		equal := func(t []byte) bool { return bytes.Equal(t, text) }
		switch how {
		case "exact":
			return func(r *Row) bool { return p.any(r.Raw, equal) }, nil
		case "absent":
			return func(r *Row) bool { return !p.any(r.Raw, equal) }, nil
		case "substring":
			contains := func(t []byte) bool { return bytes.Contains(t, text) }
			return func(r *Row) bool { return p.any(r.Raw, contains) }, nil
		}
		return nil, fmt.Errorf("a filter cannot compare %.80q", how)
	}
}

// selected is a label selector. What cannot be read is an error: taking it for everything would show what was not asked for.
func selected(value string) (filter, error) {
	s, err := labels.Parse(value)
	if err != nil {
		return nil, err
	}
	if s.Empty() {
		return func(*Row) bool { return true }, nil
	}
	return func(r *Row) bool { return s.Matches(r.Labels) }, nil
}

// annotated is a selector of annotations: terms key, !key, key=value and key!=value, divided by commas. Values are any text.
func annotated(value string) (filter, error) {
	var terms []filter
	for text := range strings.SplitSeq(value, ",") {
		t, err := annotation(strings.TrimSpace(text))
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
	}
	return func(r *Row) bool {
		for _, t := range terms {
			if !t(r) {
				return false
			}
		}
		return true
	}, nil
}

func annotation(term string) (filter, error) {
	key, want, valued := strings.Cut(term, "=")
	want = strings.TrimPrefix(want, "=") // key==value, as in label selectors
	key, not := strings.CutSuffix(key, "!")
	if !valued {
		key, not = strings.CutPrefix(term, "!")
	}
	if key = strings.TrimSpace(key); key == "" || strings.ContainsAny(key, "!= ") {
		return nil, fmt.Errorf("cannot read %.80q as key, !key, key=value or key!=value", term)
	}
	pointer := "/metadata/annotations/" + escape(key)
	return func(r *Row) bool {
		got, has := lookup(r.Raw, pointer)
		return (has && (!valued || got == want)) != not
	}, nil
}
