package authz

import (
	"fmt"
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
)

// maxTold bounds how many bindings, and how many namespaces, an explanation lists.
const maxTold = 20

// denial says why nothing allows a request: where bindings of the user were looked for and which there are, the rule that
// lacks least, and where else the user may. It reads roles' text again: it is for people who ask.
type denial struct {
	looked    []string
	nearest   string
	elsewhere []string
	lacks     int // of nearest
}

// deny looks again at everything that did not allow info.
func (z *Authorizer) deny(user *exchange.User, info *exchange.RequestInfo) *denial {
	ix := z.index()
	if z.mode == AlwaysDeny || user == nil || ix == nil {
		return &denial{}
	}
	d := new(denial)
	a, holders := attributesOf(info), ix.holders(nil, user)
	d.look(ix, &a, holders, "platform", "", func(h *holder) *grants { return h.global })
	if info.Scope == exchange.ScopeGlobal {
		d.looked = append(d.looked, "nowhere else: of what belongs to the platform itself (scope Global) only the platform's roles decide")
		return d
	}
	workspace, namespace := ix.within(In(info))
	switch {
	case workspace != "":
		d.look(ix, &a, holders, "workspace", workspace, func(h *holder) *grants { return in(h.workspaces, workspace) })
	case namespace != "":
		d.looked = append(d.looked, fmt.Sprintf("no workspace: namespace %q is in none, or does not exist", namespace))
	case info.Scope == exchange.ScopeWorkspace:
		d.looked = append(d.looked, "no workspace: the request names none")
	}
	if namespace != "" {
		d.look(ix, &a, holders, "namespace", namespace, func(h *holder) *grants { return in(h.namespaces, namespace) })
	}
	d.look(ix, &a, holders, "cluster", "", func(h *holder) *grants { return h.cluster })
	d.elsewhere, _ = z.Namespaces(user, info)
	if n := len(d.elsewhere); n > maxTold {
		d.elsewhere = append(d.elsewhere[:maxTold], fmt.Sprintf("and %d more", n-maxTold))
	}
	return d
}

// tell adds what there is to say to a finding's details.
func (d *denial) tell(details map[string]any) {
	if len(d.looked) > 0 {
		details["looked"] = d.looked
	}
	if d.nearest != "" {
		details["nearest"] = d.nearest
	}
	if len(d.elsewhere) > 0 {
		details["allowedInNamespaces"] = d.elsewhere
	}
}

// look tells what the holders have in one place.
func (d *denial) look(ix *Index, a *attributes, holders []*holder, kind, name string, of func(*holder) *grants) {
	place := kind
	if name != "" {
		place = fmt.Sprintf("%s %q", kind, name)
	}
	told := 0
	for _, h := range holders {
		g := of(h)
		if g == nil {
			continue
		}
		roles := ix.matchers.get(g.roles).source
		for i, b := range g.bindings {
			if told++; told <= maxTold {
				d.looked = append(d.looked, place+": "+b.tell(&roles[i]))
			}
			d.compare(b, &roles[i], a)
		}
	}
	switch {
	case told == 0:
		d.looked = append(d.looked, place+": no binding of the user or of a group of the user")
	case told > maxTold:
		d.looked = append(d.looked, fmt.Sprintf("%s: and %d more bindings", place, told-maxTold))
	}
}

// tell names b and its role, and what is odd about that.
func (b *Binding) tell(role *source) string {
	s := fmt.Sprintf("%s of %s %q", b.appendName(nil), b.RoleKind, b.Role)
	switch {
	case role.missing:
		s += ", which does not exist"
	case role.policy:
		s += ", whose Rego policy is not evaluated and allows nothing"
	}
	return s
}

// compare keeps the rule that lacks least, if that is at most two things.
func (d *denial) compare(b *Binding, role *source, a *attributes) {
	for _, r := range role.rules.List() {
		lacks, same := r.lacks(a)
		if !same || len(lacks) > 2 || d.nearest != "" && len(lacks) >= d.lacks {
			continue
		}
		d.lacks = len(lacks)
		d.nearest = fmt.Sprintf("%s of %s %q by %s lacks %s", r.String(), b.RoleKind, b.Role, b.appendName(nil), strings.Join(lacks, " and "))
	}
}

// lacks is what r would have to name besides, to allow a; false if r is about something else altogether.
func (r *Rule) lacks(a *attributes) (lacks []string, same bool) {
	miss := func(has bool, format string, v ...any) {
		if !has {
			lacks = append(lacks, fmt.Sprintf(format, v...))
		}
	}
	miss(hasAll(r.Verbs, []string{a.verb}, nil), "verb %q", a.verb)
	if a.path != "" {
		miss(hasAll(r.NonResourceURLs, []string{a.path}, coversPath), "path %q", a.path)
		return lacks, len(r.NonResourceURLs) > 0 && len(lacks) < 2
	}
	resource := a.resource
	if a.sub != "" {
		resource += "/" + a.sub
	}
	group, kind := hasAll(r.APIGroups, []string{a.group}, nil), hasAll(r.Resources, []string{resource}, coversResource)
	miss(group, "API group %q", a.group)
	miss(kind, "resource %q", resource)
	if len(r.ResourceNames) > 0 && !slices.Contains(r.ResourceNames, a.name) {
		if a.name == "" {
			lacks = append(lacks, "requests without a name")
		} else {
			miss(false, "resource name %q", a.name)
		}
	}
	return lacks, len(r.Resources) > 0 && (kind || group && len(lacks) == 1 && !slices.Contains(r.Resources, "*") && r.relates(a.resource))
}

// relates says whether r names the resource itself or one of its subresources.
func (r *Rule) relates(resource string) bool {
	return slices.ContainsFunc(r.Resources, func(s string) bool { return s == resource || strings.HasPrefix(s, resource+"/") })
}

// String is r as one line of text.
func (r *Rule) String() string {
	if len(r.NonResourceURLs) > 0 {
		return fmt.Sprintf("the rule that allows %q on paths %q", r.Verbs, r.NonResourceURLs)
	}
	s := fmt.Sprintf("the rule that allows %q on %q in %q", r.Verbs, r.Resources, r.APIGroups)
	if len(r.ResourceNames) > 0 {
		s += fmt.Sprintf(" called %q", r.ResourceNames)
	}
	return s
}
