package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Route is a method and a path below /kapis/<group>, written "GET /v1/nodes/{node}": {name} is one segment, {name...}
// the rest, and the method may be "*" or be left out.
type Route struct {
	Method  string // "*" is any
	Pattern string
}

// UnmarshalYAML reads a route's text.
func (r *Route) UnmarshalYAML(text []byte) error {
	var s string
	if err := yaml.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("a route is a text such as \"GET /v1/things/{name}\": %w", err)
	}
	method, pattern, ok := strings.Cut(s, " ")
	if !ok {
		method, pattern = "*", s
	}
	*r = Route{method, strings.TrimSpace(pattern)}
	return nil
}

// UnmarshalText reads what MarshalText wrote.
func (r *Route) UnmarshalText(text []byte) error {
	method, pattern, _ := strings.Cut(string(text), " ")
	*r = Route{method, pattern}
	return nil
}

// MarshalText writes "GET /v1/things".
func (r Route) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String is "GET /v1/things".
func (r Route) String() string { return r.Method + " " + r.Pattern }

var methods = []string{"*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

func (r Route) validate() error {
	if !slices.Contains(methods, r.Method) {
		return fmt.Errorf("route %q: method is none of %s", r, strings.Join(methods, ", "))
	}
	if !strings.HasPrefix(r.Pattern, "/") || strings.ContainsAny(r.Pattern, " ?#") {
		return fmt.Errorf("route %q: the path is not like /v1/things/{name}", r)
	}
	segments := strings.Split(r.Pattern[1:], "/")
	for i, s := range segments {
		if strings.HasSuffix(s, "...}") && i < len(segments)-1 {
			return fmt.Errorf("route %q: %s is not the last segment", r, s)
		}
		if strings.ContainsAny(s, "{}") && !(len(s) > 2 && s[0] == '{' && strings.IndexByte(s, '}') == len(s)-1 && strings.LastIndexByte(s, '{') == 0) {
			return fmt.Errorf("route %q: %q is neither a text nor {name}", r, s)
		}
	}
	return nil
}

// Match says whether some route of group answers a method and a path below the group, such as /v1/nodes. When only other
// methods are answered, allow names them. A group without routes answers everything. A match allocates nothing.
func (m *Manifest) Match(group, method, path string) (ok bool, allow []string) {
	declared := false
	for i := range m.Serves {
		s := &m.Serves[i]
		if s.Group != group {
			continue
		}
		if len(s.Routes) == 0 {
			return true, nil
		}
		declared = true
		for _, r := range s.Routes {
			if !r.matches(path) {
				continue
			}
			if r.Method == "*" || r.Method == method {
				return true, nil
			}
			if !slices.Contains(allow, r.Method) {
				allow = append(allow, r.Method)
			}
		}
	}
	return !declared, allow
}

// matches compares segment by segment, as the SDK's own dispatcher does: a slash at the end does not count, and {name...}
// may be nothing.
func (r Route) matches(path string) bool {
	pattern, path := strings.Trim(r.Pattern, "/"), strings.Trim(path, "/")
	for {
		want, patterns, more := strings.Cut(pattern, "/")
		if rest(want) {
			return true
		}
		got, paths, morePath := strings.Cut(path, "/")
		if named := strings.HasPrefix(want, "{"); named && got == "" || !named && want != got {
			return false
		}
		if !more || !morePath {
			return more == morePath || more && rest(patterns)
		}
		pattern, path = patterns, paths
	}
}

// rest says whether a segment stands for all that is left.
func rest(segment string) bool { return strings.HasSuffix(segment, "...}") }
