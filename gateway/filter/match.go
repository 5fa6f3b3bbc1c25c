package filter

import (
	"fmt"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
)

// Rules choose requests. Each list that is not empty must have the request's value; * is any value.
type Rules struct {
	Paths      []string // of the decoded path: see compilePath
	Methods    []string
	Verbs      []string
	APIGroups  []string // the core group is ""
	Resources  []string // as pods, pods/log
	Namespaces []string
	Clusters   []string // the host's own is ""
	Users      []string
	Groups     []string // the user has one of them
}

// NeedUser says whether r asks who asks.
func (r *Rules) NeedUser() bool { return len(r.Users)+len(r.Groups) > 0 }

// matcher is compiled Rules. Lists are short, as people write them: a scan beats a map. It allocates nothing.
type matcher struct {
	rules Rules
	paths []pathPattern
	empty bool // no list is set
}

func compile(r Rules) (matcher, error) {
	m := matcher{rules: r, empty: true}
	for _, l := range []*[]string{
		&m.rules.Methods, &m.rules.Verbs, &m.rules.APIGroups, &m.rules.Resources, &m.rules.Namespaces, &m.rules.Clusters,
		&m.rules.Users, &m.rules.Groups,
	} {
		if slices.Contains(*l, "*") {
			*l = nil
		}
		m.empty = m.empty && len(*l) == 0
	}
	m.rules.Methods = slices.Clone(m.rules.Methods)
	for i, method := range m.rules.Methods {
		m.rules.Methods[i] = strings.ToUpper(method)
	}
	for i, text := range r.Paths {
		p, err := compilePath(text)
		if err != nil {
			return m, &SettingError{fmt.Sprintf("paths[%d]", i), err}
		}
		m.paths = append(m.paths, p)
		m.empty = false
	}
	return m, nil
}

// miss is the first list that does not have x's value; "" if x is chosen.
func (m *matcher) miss(x *exchange.Exchange) string {
	r, info := &m.rules, &x.Info
	switch {
	case m.empty:
		return ""
	case len(m.paths) > 0 && !slices.ContainsFunc(m.paths, func(p pathPattern) bool { return p.matches(info.Path) }):
		return "paths"
	case len(r.Methods) > 0 && !hasBytes(r.Methods, x.HTTP.Method()):
		return "methods"
	case !has(r.Verbs, info.Verb):
		return "verbs"
	case !has(r.APIGroups, info.APIGroup):
		return "apiGroups"
	case !hasResource(r.Resources, info.Resource, info.Subresource):
		return "resources"
	case !has(r.Namespaces, info.Namespace):
		return "namespaces"
	case !has(r.Clusters, info.Cluster):
		return "clusters"
	case len(r.Users) > 0 && (x.User == nil || !has(r.Users, x.User.Name)):
		return "users"
	case len(r.Groups) > 0 && (x.User == nil || !slices.ContainsFunc(x.User.Groups, func(g string) bool { return has(r.Groups, g) })):
		return "groups"
	}
	return ""
}

func has(list []string, value string) bool { return len(list) == 0 || slices.Contains(list, value) }

func hasBytes(list []string, value []byte) bool {
	for _, s := range list {
		if s == string(value) {
			return true
		}
	}
	return false
}

// hasResource compares pods with pods, and pods/log with both parts.
func hasResource(list []string, resource, sub string) bool {
	if len(list) == 0 {
		return true
	}
	for _, s := range list {
		name, rest, _ := strings.Cut(s, "/")
		if (name == resource || name == "*") && (rest == sub || rest == "*") {
			return true
		}
	}
	return false
}

// pathPattern is a path with * for whole segments; open: anything may follow.
type pathPattern struct {
	segments []string
	open     bool
}

// compilePath reads a pattern: /healthz is that path, /kapis/* all below /kapis/, /api/*/pods one segment in the middle.
func compilePath(text string) (pathPattern, error) {
	if !strings.HasPrefix(text, "/") {
		return pathPattern{}, fmt.Errorf("want a path that starts with /, have %q", text)
	}
	p := pathPattern{segments: strings.Split(text[1:], "/")}
	if last := len(p.segments) - 1; p.segments[last] == "*" {
		p.segments, p.open = p.segments[:last], true
	}
	for _, s := range p.segments {
		if s != "*" && strings.Contains(s, "*") {
			return pathPattern{}, fmt.Errorf("* stands for a whole segment or for all that follows at the end, have %q", text)
		}
	}
	return p, nil
}

func (p pathPattern) matches(path string) bool {
	rest, more := strings.CutPrefix(path, "/")
	for _, want := range p.segments {
		if !more {
			return false
		}
		var have string
		have, rest, more = strings.Cut(rest, "/")
		if want != have && (want != "*" || have == "") {
			return false
		}
	}
	return more == p.open
}
