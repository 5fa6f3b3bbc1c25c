package authz

import (
	"encoding/binary"
	"slices"
)

type roleKind uint8

const (
	globalRole roleKind = iota
	workspaceRole
	namespaceRole
	clusterRole
)

var roleKinds = [...]string{globalRole: "GlobalRole", workspaceRole: "WorkspaceRole", namespaceRole: "Role", clusterRole: "ClusterRole"}

// bindingKinds are the kinds of bindings by level, mayName the kinds of roles that each may name.
var (
	bindingKinds = [...]string{global: "GlobalRoleBinding", workspace: "WorkspaceRoleBinding", namespace: "RoleBinding", cluster: "ClusterRoleBinding"}
	mayName      = [...][]roleKind{global: {globalRole}, workspace: {workspaceRole}, namespace: {namespaceRole, clusterRole}, cluster: {clusterRole}}
)

// roleName names a role of any kind.
type roleName struct {
	kind roleKind
	Key
}

// roleOf is the role that a binding names; false if a binding of its level may not name such a one.
func roleOf(at level, b *Binding) (roleName, bool) {
	for _, kind := range mayName[at] {
		if roleKinds[kind] == b.RoleKind {
			r := roleName{kind, Key{Name: b.Role}}
			if kind == namespaceRole {
				r.Namespace = b.Namespace
			}
			return r, true
		}
	}
	return roleName{}, false
}

// lists are the roles that somebody has, and the lists of them that somebody has in one place. A list keeps its number and
// its matcher is replaced when a role of it changes: so that costs nothing for each who has it.
type lists struct {
	draft    *Draft
	roles    map[roleName]*heldRole
	wholes   map[roleName][]*heldRole // of a role: those that include it
	byRoles  map[string]*roleList
	byNumber []*roleList
	free     []uint32
	matchers matchers
	roleIDs  ids
	scratch  []byte
}

// heldRole is a role that is in a list, whether it exists or not.
type heldRole struct {
	name  roleName
	id    uint32
	role  source
	parts []string // roles of the same kind and namespace that are included
	lists []*roleList
}

// roleList is roles in the order of their bindings. refs counts the grants that have it.
type roleList struct {
	number, refs uint32
	key          string
	roles        []*heldRole
	compiled     *compiled
}

func newLists() lists {
	return lists{roles: map[roleName]*heldRole{}, wholes: map[roleName][]*heldRole{}, byRoles: map[string]*roleList{}, matchers: newMatchers()}
}

// acquire is the number of the list of the bindings' roles.
func (l *lists) acquire(at level, bindings []*Binding) uint32 {
	key := l.scratch[:0]
	for _, b := range bindings {
		name, _ := roleOf(at, b)
		key = binary.LittleEndian.AppendUint32(key, l.held(name).id)
	}
	l.scratch = key
	list := l.byRoles[string(key)]
	if list == nil {
		list = l.add(string(key), at, bindings)
	}
	list.refs++
	return list.number
}

// held is a role as it is held. One that is new comes into a list next, which keeps it.
func (l *lists) held(name roleName) *heldRole {
	r := l.roles[name]
	if r == nil {
		r = &heldRole{name: name, id: l.roleIDs.take()}
		l.roles[name] = r
		l.read(r)
	}
	return r
}

func (l *lists) add(key string, at level, bindings []*Binding) *roleList {
	list := &roleList{key: key, roles: make([]*heldRole, len(bindings))}
	for i, b := range bindings {
		name, _ := roleOf(at, b)
		r := l.held(name)
		list.roles[i] = r
		if !slices.Contains(list.roles[:i], r) {
			r.lists = append(r.lists, list)
		}
	}
	if n := len(l.free); n > 0 {
		list.number, l.free = l.free[n-1], l.free[:n-1]
		l.byNumber[list.number] = list
	} else {
		list.number = uint32(len(l.byNumber))
		l.byNumber = append(l.byNumber, list)
	}
	l.byRoles[key] = list
	l.compile(list)
	return list
}

// release undoes acquire; what nobody has any more goes.
func (l *lists) release(number uint32) {
	list := l.byNumber[number]
	if list.refs--; list.refs > 0 {
		return
	}
	delete(l.byRoles, list.key)
	l.byNumber[number], l.free = nil, append(l.free, number)
	l.matchers.release(list.compiled)
	l.draft.next.matchers = l.draft.next.matchers.set(l.draft.edit, number, nil)
	for _, r := range list.roles {
		i := slices.Index(r.lists, list)
		if i < 0 {
			continue // named twice
		}
		if r.lists = slices.Delete(r.lists, i, i+1); len(r.lists) == 0 {
			l.include(r, nil)
			delete(l.roles, r.name)
			l.roleIDs.give(r.id)
		}
	}
}

// compile gives the readers of the next index what list's roles allow now.
func (l *lists) compile(list *roleList) {
	roles := make([]source, len(list.roles))
	for i, r := range list.roles {
		roles[i] = r.role
	}
	old := list.compiled
	list.compiled = l.matchers.acquire(roles)
	if old != nil {
		l.matchers.release(old)
	}
	l.draft.next.matchers = l.draft.next.matchers.set(l.draft.edit, list.number, list.compiled.m)
}

// roleChanged has a role, and those that include it, read again.
func (l *lists) roleChanged(kind roleKind, key Key) {
	name := roleName{kind, key}
	if r := l.roles[name]; r != nil {
		l.reread(r)
	}
	for _, r := range slices.Clone(l.wholes[name]) {
		l.reread(r)
	}
}

func (l *lists) reread(r *heldRole) {
	if old := r.role; l.read(r) == old {
		return
	}
	for _, list := range r.lists {
		l.compile(list)
	}
}

// read takes r's rules from the role as it is now.
func (l *lists) read(r *heldRole) source {
	l.include(r, l.draft.roles[r.name.kind][r.name.Key].parts)
	r.role = l.source(r.name)
	return r.role
}

// source is what a role allows: its rules, and those of the roles that it aggregates, as they are now. These are their own
// rules, not what they aggregate in turn, as ks-apiserver has it when it writes a role.
func (l *lists) source(name roleName) source {
	data, ok := l.draft.roles[name.kind][name.Key]
	s := source{rules: data.rules, missing: !ok, policy: data.policy}
	if len(data.parts) == 0 {
		return s
	}
	all := []Rules{data.rules}
	for _, part := range data.parts {
		all = append(all, l.draft.roles[name.kind][Key{name.Namespace, part}].rules)
	}
	s.rules = union(all)
	return s
}

// include notes of which roles r is made.
func (l *lists) include(r *heldRole, parts []string) {
	if slices.Equal(r.parts, parts) {
		return
	}
	for _, name := range r.parts {
		part := roleName{r.name.kind, Key{r.name.Namespace, name}}
		i := slices.Index(l.wholes[part], r)
		if i < 0 {
			continue // named twice
		}
		if l.wholes[part] = slices.Delete(l.wholes[part], i, i+1); len(l.wholes[part]) == 0 {
			delete(l.wholes, part)
		}
	}
	r.parts = parts
	for _, name := range parts {
		part := roleName{r.name.kind, Key{r.name.Namespace, name}}
		if !slices.Contains(l.wholes[part], r) {
			l.wholes[part] = append(l.wholes[part], r)
		}
	}
}

// ids are numbers in use: of roles, for the keys of lists, and of rules, for those of matchers.
type ids struct {
	next uint32
	free []uint32
}

func (i *ids) take() uint32 {
	if n := len(i.free); n > 0 {
		id := i.free[n-1]
		i.free = i.free[:n-1]
		return id
	}
	i.next++
	return i.next - 1
}

func (i *ids) give(id uint32) { i.free = append(i.free, id) }
