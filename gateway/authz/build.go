package authz

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
)

// Objects is everything that is decided by. A slice or map that is missing yet allows nothing.
type Objects struct {
	GlobalRoles, WorkspaceRoles, ClusterRoles, Roles                             []*Role
	GlobalRoleBindings, WorkspaceRoleBindings, ClusterRoleBindings, RoleBindings []*Binding
	// Workspaces has the workspace of every namespace that is in one. Build keeps it: it must not change any more.
	Workspaces map[string]string
}

// level is where a binding holds. The order is that of evaluation.
type level uint8

const (
	global level = iota
	workspace
	namespace
	cluster
)

// kinds are the binding kinds of each level, and the role kinds they may name.
var kinds = [...]struct {
	binding string
	roles   []string
}{
	global:    {"GlobalRoleBinding", []string{"GlobalRole"}},
	workspace: {"WorkspaceRoleBinding", []string{"WorkspaceRole"}},
	namespace: {"RoleBinding", []string{"Role", "ClusterRole"}},
	cluster:   {"ClusterRoleBinding", []string{"ClusterRole"}},
}

// given is one role that a subject has through one binding.
type given struct {
	level   level
	place   string // workspace or namespace
	rules   Rules
	binding *Binding
	subject Subject
}

// roleKey names a role. Namespace is a Role's.
type roleKey struct{ kind, namespace, name string }

// builder collects what each subject has been given.
type builder struct {
	roles         map[roleKey]Rules
	users, groups map[string][]given
	prev, next    *Index
}

// Build makes the index of o. What prev has compiled already is taken over; prev may be nil and stays as it is.
func Build(prev *Index, o Objects) *Index {
	if prev == nil {
		prev = new(Index)
	}
	b := &builder{
		roles: map[roleKey]Rules{}, users: map[string][]given{}, groups: map[string][]given{},
		prev: prev, next: &Index{workspaces: o.Workspaces, ids: map[Rules]uint32{}, matchers: map[string]*matcher{}, nextID: prev.nextID, epoch: prev.epoch + 1},
	}
	b.next.members = make(map[string][]string)
	for namespace, workspace := range o.Workspaces {
		b.next.members[workspace] = append(b.next.members[workspace], namespace)
	}
	b.addRoles("GlobalRole", o.GlobalRoles)
	b.addRoles("WorkspaceRole", o.WorkspaceRoles)
	b.addRoles("ClusterRole", o.ClusterRoles)
	b.addRoles("Role", o.Roles)
	b.addBindings(global, o.GlobalRoleBindings)
	b.addBindings(workspace, o.WorkspaceRoleBindings)
	b.addBindings(namespace, o.RoleBindings)
	b.addBindings(cluster, o.ClusterRoleBindings)
	b.next.users, b.next.groups = b.holders(b.users), b.holders(b.groups)
	return b.next
}

func (b *builder) addRoles(kind string, roles []*Role) {
	for _, r := range roles {
		b.roles[roleKey{kind, r.Namespace, r.Name}] = r.Rules
	}
}

func (b *builder) addBindings(at level, bindings []*Binding) {
	for _, binding := range bindings {
		place := ""
		switch at {
		case workspace:
			place = binding.Workspace
		case namespace:
			place = binding.Namespace
		}
		if place == "" && (at == workspace || at == namespace) {
			continue // holds nowhere
		}
		rules, ok := b.rulesOf(at, binding)
		if !ok {
			continue
		}
		for _, s := range binding.Subjects {
			b.give(s, given{at, place, rules, binding, s})
		}
	}
}

// rulesOf is the rules that a binding gives. A role of a wrong kind, or one that does not exist, gives none.
func (b *builder) rulesOf(at level, binding *Binding) (Rules, bool) {
	if !slices.Contains(kinds[at].roles, binding.RoleKind) {
		return Rules{}, false
	}
	key := roleKey{kind: binding.RoleKind, name: binding.Role}
	if binding.RoleKind == "Role" {
		key.namespace = binding.Namespace
	}
	rules, ok := b.roles[key]
	return rules, ok
}

func (b *builder) give(s Subject, g given) {
	switch s.Kind {
	case "User":
		b.users[s.Name] = append(b.users[s.Name], g)
	case "Group":
		b.groups[s.Name] = append(b.groups[s.Name], g)
	case "ServiceAccount":
		ns := cmp.Or(s.Namespace, g.binding.Namespace)
		if ns != "" {
			name := "system:serviceaccount:" + ns + ":" + s.Name
			b.users[name] = append(b.users[name], g)
		}
	}
}

// holders sorts what each subject was given by place, and by the binding's name within it, so that of several bindings
// that allow the same the one named is always the same.
func (b *builder) holders(subjects map[string][]given) map[string]*holder {
	holders := make(map[string]*holder, len(subjects))
	for name, all := range subjects {
		slices.SortFunc(all, func(x, y given) int {
			return cmp.Or(cmp.Compare(x.level, y.level), cmp.Compare(x.place, y.place), cmp.Compare(x.binding.Name, y.binding.Name))
		})
		h := new(holder)
		for len(all) > 0 {
			n := 1
			for n < len(all) && all[n].level == all[0].level && all[n].place == all[0].place {
				n++
			}
			h.add(all[0].level, all[0].place, b.grants(all[:n]))
			all = all[n:]
		}
		holders[name] = h
	}
	return holders
}

func (h *holder) add(at level, place string, g *grants) {
	switch at {
	case global:
		h.global = g
	case workspace:
		h.workspaces = append(h.workspaces, scoped{place, g})
	case namespace:
		h.namespace = append(h.namespace, scoped{place, g})
	case cluster:
		h.cluster = g
	}
}

// grants makes what is held in one place. The same rules given twice count once.
func (b *builder) grants(all []given) *grants {
	var rules []Rules
	var reasons []string
	var key []byte
	seen := make(map[uint32]bool, len(all))
	for i := range all {
		id := b.id(all[i].rules)
		if seen[id] {
			continue
		}
		seen[id] = true
		key = binary.LittleEndian.AppendUint32(key, id)
		rules = append(rules, all[i].rules)
		reasons = append(reasons, all[i].sentence())
	}
	return &grants{b.matcher(string(key), rules), reasons}
}

// id numbers rules for the keys of matchers, the same from index to index as long as somebody has them.
func (b *builder) id(r Rules) uint32 {
	id, ok := b.next.ids[r]
	if ok {
		return id
	}
	if id, ok = b.prev.ids[r]; !ok {
		id = b.next.nextID
		b.next.nextID++
	}
	b.next.ids[r] = id
	return id
}

func (b *builder) matcher(key string, rules []Rules) *matcher {
	m := b.next.matchers[key]
	if m == nil {
		if m = b.prev.matchers[key]; m == nil {
			m = compile(rules)
		}
		b.next.matchers[key] = m
	}
	return m
}

// sentence names binding, role and subject: the Reason of a decision.
func (g *given) sentence() string {
	s := append(make([]byte, 0, 160), "RBAC: allowed by "...)
	s = append(append(s, kinds[g.level].binding...), ' ')
	s = strconv.AppendQuote(s, qualified(g.binding.Namespace, g.binding.Name))
	if g.level == workspace {
		s = strconv.AppendQuote(append(s, " in workspace "...), g.place)
	}
	s = append(append(append(s, " of "...), g.binding.RoleKind...), ' ')
	s = strconv.AppendQuote(s, g.binding.Role)
	s = append(append(append(s, " to "...), g.subject.Kind...), ' ')
	return string(strconv.AppendQuote(s, qualified(g.subject.Namespace, g.subject.Name)))
}

func qualified(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
