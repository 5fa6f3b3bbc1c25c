package headers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
)

// template is a header's value with places to fill in.
type template []part

// part is text, or a placeholder.
type part struct {
	text string
	fill func(b []byte, x *exchange.Exchange) []byte
}

// placeholders are what may stand in braces. What a client or its path chose is escaped: see escape.
var placeholders = map[string]func(b []byte, x *exchange.Exchange) []byte{
	"user": func(b []byte, x *exchange.Exchange) []byte {
		if x.User == nil {
			return b
		}
		return escape(b, x.User.Name)
	},
	"requestId": func(b []byte, x *exchange.Exchange) []byte { return escape(b, x.ID) },
	"client": func(b []byte, x *exchange.Exchange) []byte {
		if a := x.Client(); a.IsValid() {
			return a.AppendTo(b)
		}
		return b
	},
	"cluster":   func(b []byte, x *exchange.Exchange) []byte { return escape(b, x.Info.Cluster) },
	"namespace": func(b []byte, x *exchange.Exchange) []byte { return escape(b, x.Info.Namespace) },
	"workspace": func(b []byte, x *exchange.Exchange) []byte { return escape(b, x.Info.Workspace) },
	"resource":  func(b []byte, x *exchange.Exchange) []byte { return escape(b, x.Info.Resource) },
	"verb":      func(b []byte, x *exchange.Exchange) []byte { return escape(b, x.Info.Verb) },
}

// parse reads text with {placeholders}; {{ is a brace. names are the placeholders in it.
func parse(text string) (t template, names []string, err error) {
	if !validValue(text) {
		return nil, nil, fmt.Errorf("%q has a byte that no header may have", text)
	}
	for text != "" {
		literal, rest, found := strings.Cut(text, "{")
		if found && strings.HasPrefix(rest, "{") {
			literal, rest, found = literal+"{", rest[1:], false
		}
		if literal != "" {
			t = append(t, part{text: literal})
		}
		if text = rest; !found {
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		fill := placeholders[name]
		if !closed || fill == nil {
			return nil, nil, fmt.Errorf("there is no placeholder {%s: want one of %s; {{ is a brace", name, known())
		}
		t, names, text = append(t, part{fill: fill}), append(names, name), after
	}
	return t, names, nil
}

func known() string {
	var all []string
	for name := range placeholders {
		all = append(all, "{"+name+"}")
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func (t template) append(b []byte, x *exchange.Exchange) []byte {
	for _, p := range t {
		if p.fill != nil {
			b = p.fill(b, x)
			continue
		}
		b = append(b, p.text...)
	}
	return b
}

// escape appends s with every byte as %XX that is not printable ASCII, and % itself: decoded paths may hold line ends.
func escape(b []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '%' {
			b = append(b, '%', hex[c>>4], hex[c&15])
			continue
		}
		b = append(b, s[i])
	}
	return b
}

// validValue says whether s may be a header's value: visible characters, spaces and tabs, ASCII.
func validValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '\t' && (c < ' ' || c > '~') {
			return false
		}
	}
	return true
}
