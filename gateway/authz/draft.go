package authz

import (
	"slices"
	"sync"

	"github.com/posternhq/postern/gateway/pmap"
)

// Draft makes indexes. It is told of each object that comes, changes or goes, and takes it over at a cost in proportion to what
// that changes: a binding its subjects, a role the lists of roles that it is in. Commit gives the readers what it has. It is
// safe for concurrent use; its memory is that of the objects, some 250 bytes for a binding and 80 for a role, and of the index.
type Draft struct {
	mu      sync.Mutex
	next    Index
	edit    *pmap.Edit
	changed bool

	roles    [4]map[Key]roleData
	policies [4]int // roles with one
	bindings [4]map[Key]*Binding
	lists    lists
}

// Key names an object of a kind. Namespace is empty for kinds of the cluster.
type Key struct{ Namespace, Name string }

// roleData is a Role without its names.
type roleData struct {
	rules  Rules
	parts  []string
	policy bool
}

// NewDraft makes a draft of an index in which nobody has anything.
func NewDraft() *Draft {
	d := &Draft{edit: new(pmap.Edit), lists: newLists()}
	for i := range d.roles {
		d.roles[i], d.bindings[i] = map[Key]roleData{}, map[Key]*Binding{}
	}
	d.lists.draft = d
	return d
}

// Commit is an index of everything that the draft has been told; nil if that has changed nothing since the last one.
func (d *Draft) Commit() *Index {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.changed && d.next.epoch > 0 {
		return nil
	}
	d.next.epoch++
	d.changed, d.edit = false, new(pmap.Edit)
	ix := d.next
	return &ix
}

// Roles is the roles of one kind in a draft.
type Roles struct {
	d    *Draft
	kind roleKind
}

// GlobalRoles, WorkspaceRoles, ClusterRoles and Roles are a draft's roles, by kind.
func (d *Draft) GlobalRoles() Roles    { return Roles{d, globalRole} }
func (d *Draft) WorkspaceRoles() Roles { return Roles{d, workspaceRole} } // see GlobalRoles
func (d *Draft) ClusterRoles() Roles   { return Roles{d, clusterRole} }   // see GlobalRoles
func (d *Draft) Roles() Roles          { return Roles{d, namespaceRole} } // see GlobalRoles

// Set takes over a role, and says whether it is another than before.
func (r Roles) Set(role *Role) bool {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	key, data := Key{role.Namespace, role.Name}, roleData{role.Rules, role.Aggregates, role.Policy}
	old, had := r.d.roles[r.kind][key]
	if had && old.rules == data.rules && old.policy == data.policy && slices.Equal(old.parts, data.parts) {
		return false
	}
	r.d.roles[r.kind][key] = data
	r.d.policies[r.kind] += count(data.policy) - count(old.policy)
	r.d.lists.roleChanged(r.kind, key)
	r.d.changed = true
	return true
}

// Delete takes a role out, and says whether it was there.
func (r Roles) Delete(key Key) bool {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	old, had := r.d.roles[r.kind][key]
	if !had {
		return false
	}
	delete(r.d.roles[r.kind], key)
	r.d.policies[r.kind] -= count(old.policy)
	r.d.lists.roleChanged(r.kind, key)
	r.d.changed = true
	return true
}

// Keys is every role's key, in no order.
func (r Roles) Keys() []Key { return keysOf(r.d, r.d.roles[r.kind]) }

// Len counts the roles.
func (r Roles) Len() int { return lenOf(r.d, r.d.roles[r.kind]) }

// Rules is what a role allows, by its own rules and those of the roles that it aggregates; false if there is none.
func (r Roles) Rules(key Key) ([]Rule, bool) {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	of := r.d.lists.source(roleName{r.kind, key})
	return of.rules.List(), !of.missing
}

// Policies counts the roles with a Rego policy, which is not evaluated.
func (r Roles) Policies() int {
	r.d.mu.Lock()
	defer r.d.mu.Unlock()
	return r.d.policies[r.kind]
}

func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// Bindings is the bindings of one kind in a draft.
type Bindings struct {
	d  *Draft
	at level
}

// GlobalRoleBindings, WorkspaceRoleBindings, ClusterRoleBindings and RoleBindings are a draft's bindings, by kind.
func (d *Draft) GlobalRoleBindings() Bindings    { return Bindings{d, global} }
func (d *Draft) WorkspaceRoleBindings() Bindings { return Bindings{d, workspace} } // see GlobalRoleBindings
func (d *Draft) ClusterRoleBindings() Bindings   { return Bindings{d, cluster} }   // see GlobalRoleBindings
func (d *Draft) RoleBindings() Bindings          { return Bindings{d, namespace} } // see GlobalRoleBindings

// Set takes over a binding, which is kept and must not change any more, and says whether it is another than before.
func (b Bindings) Set(binding *Binding) bool {
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	key := Key{binding.Namespace, binding.Name}
	old := b.d.bindings[b.at][key]
	if old != nil && old.same(binding) {
		return false
	}
	b.d.bindings[b.at][key] = binding
	b.d.give(b.at, binding)
	if old != nil {
		b.d.take(b.at, old)
	}
	b.d.changed = true
	return true
}

// Delete takes a binding out, and says whether it was there.
func (b Bindings) Delete(key Key) bool {
	b.d.mu.Lock()
	defer b.d.mu.Unlock()
	old := b.d.bindings[b.at][key]
	if old == nil {
		return false
	}
	delete(b.d.bindings[b.at], key)
	b.d.take(b.at, old)
	b.d.changed = true
	return true
}

// Keys is every binding's key, in no order.
func (b Bindings) Keys() []Key { return keysOf(b.d, b.d.bindings[b.at]) }

// Len counts the bindings.
func (b Bindings) Len() int { return lenOf(b.d, b.d.bindings[b.at]) }

// SetWorkspace says in which workspace a namespace is; empty: in none.
func (d *Draft) SetWorkspace(namespace, workspace string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.next.Workspace(namespace)
	if old == workspace || namespace == "" {
		return
	}
	d.changed = true
	if old != "" {
		d.next.workspaces = d.next.workspaces.Delete(d.edit, namespace)
		members, _ := d.next.members.Get(old)
		if members = members.Delete(d.edit, namespace); members.Empty() {
			d.next.members = d.next.members.Delete(d.edit, old)
		} else {
			d.next.members = d.next.members.Set(d.edit, old, members)
		}
	}
	if workspace != "" {
		d.next.workspaces = d.next.workspaces.Set(d.edit, namespace, workspace)
		members, _ := d.next.members.Get(workspace)
		d.next.members = d.next.members.Set(d.edit, workspace, members.Set(d.edit, namespace, struct{}{}))
	}
}

func keysOf[V any](d *Draft, m map[Key]V) []Key {
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := make([]Key, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	return keys
}

func lenOf[V any](d *Draft, m map[Key]V) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(m)
}
