package guest

import "strings"

// mux finds the handler of a method and path.
type mux struct{ routes []route }

type route struct {
	method   string
	segments []string
	handler  Handler
}

func (m *mux) add(method, pattern string, h Handler) {
	m.routes = append(m.routes, route{method, split(pattern), h})
}

func split(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// serve answers r with the best match: 404 when no path matches, 405 when only the method does not.
func (m *mux) serve(r *Request, w *Response) error {
	method, path := r.Method(), split(r.Path())
	var best *route
	var values []pathValue
	known := false
	for i := range m.routes {
		candidate := &m.routes[i]
		v, ok := candidate.match(path)
		if !ok {
			continue
		}
		known = true
		if (candidate.method == "*" || candidate.method == method) && (best == nil || candidate.before(best)) {
			best, values = candidate, v
		}
	}
	switch {
	case best != nil:
		r.values = values
		return best.handler(r, w)
	case known:
		return Fail(405, "the server does not allow this method on the requested resource")
	}
	return Fail(404, "the server could not find the requested resource")
}

// match says whether the route has this path, and what its names stand for.
func (t *route) match(path []string) (values []pathValue, ok bool) {
	for i, s := range t.segments {
		name, wild := wildcard(s)
		if strings.HasSuffix(name, "...") {
			return append(values, pathValue{name[:len(name)-3], strings.Join(path[min(i, len(path)):], "/")}), true
		}
		if i >= len(path) || !wild && s != path[i] || wild && path[i] == "" {
			return nil, false
		}
		if wild {
			values = append(values, pathValue{name, path[i]})
		}
	}
	return values, len(path) == len(t.segments)
}

// wildcard is the name in {name}.
func wildcard(segment string) (name string, ok bool) {
	if len(segment) > 2 && segment[0] == '{' && segment[len(segment)-1] == '}' {
		return segment[1 : len(segment)-1], true
	}
	return "", false
}

// before says whether t is more specific than o, both of which match: the first literal where the other has a name wins;
// when one of them only has a {name...} more, for which nothing is left, the other does.
func (t *route) before(o *route) bool {
	for i := range min(len(t.segments), len(o.segments)) {
		a, b := rank(t.segments[i]), rank(o.segments[i])
		if a != b {
			return a < b
		}
	}
	return len(t.segments) < len(o.segments)
}

func rank(segment string) int {
	name, wild := wildcard(segment)
	switch {
	case !wild:
		return 0
	case !strings.HasSuffix(name, "..."):
		return 1
	}
	return 2
}
