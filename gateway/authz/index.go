package authz

import (
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/pmap"
)

// Index says which rules a user has where. It is immutable: a Draft makes the next one, which shares with it all that has not
// changed. Looking up costs one search for the user and each of the user's groups, however many bindings there are.
//
// Its memory is bounded by what the cluster stores: some 150 bytes for a subject of a binding, and one matcher for each
// different list of rules that somebody has in one place. BenchmarkMemory prints both.
type Index struct {
	users, groups pmap.Map[*holder]
	workspaces    pmap.Map[string]             // of each namespace that is in one
	members       pmap.Map[pmap.Map[struct{}]] // the namespaces of each workspace
	matchers      table                        // of each list of roles that somebody has in one place
	epoch         uint64
}

// holder is what one user or group has been given. It is immutable.
type holder struct {
	global, cluster        *grants
	workspaces, namespaces pmap.Map[*grants]
}

func (h *holder) empty() bool {
	return h.global == nil && h.cluster == nil && h.workspaces.Empty() && h.namespaces.Empty()
}

// grants are bindings that hold in the same place for the same subject, sorted by name. Their roles, in the same order, are
// compiled in the matcher of that number.
type grants struct {
	roles    uint32
	bindings []*Binding
}

// in is what is held in the place called name. No place has an empty name: a request without workspace has nobody's
// workspace roles, not everybody's.
func in(places pmap.Map[*grants], name string) *grants {
	if name == "" {
		return nil
	}
	g, _ := places.Get(name)
	return g
}

// match is the first of g's bindings whose role allows a; nil if none does.
func (ix *Index) match(g *grants, a *attributes) *Binding {
	if g == nil {
		return nil
	}
	if i := ix.matchers.get(g.roles).match(a); i >= 0 {
		return g.bindings[i]
	}
	return nil
}

// Workspace is the workspace that namespace belongs to; empty if it belongs to none or is unknown.
func (ix *Index) Workspace(namespace string) string {
	if ix == nil || namespace == "" {
		return ""
	}
	workspace, _ := ix.workspaces.Get(namespace)
	return workspace
}

// allow is the binding by which the user may do what is asked; nil if there is none. It allocates nothing for users with
// up to 32 groups that have bindings.
func (ix *Index) allow(user *exchange.User, info *exchange.RequestInfo) *Binding {
	if ix == nil {
		return nil
	}
	var room [33]*holder
	holders := ix.holders(room[:0], user)
	if len(holders) == 0 {
		return nil
	}
	a := attributesOf(info)
	for _, h := range holders {
		if b := ix.match(h.global, &a); b != nil {
			return b
		}
	}
	if info.Scope == exchange.ScopeGlobal {
		return nil
	}
	workspace, namespace := ix.within(In(info))
	for _, h := range holders {
		if b := ix.match(in(h.workspaces, workspace), &a); b != nil {
			return b
		}
	}
	for _, h := range holders {
		if b := ix.match(in(h.namespaces, namespace), &a); b != nil {
			return b
		}
	}
	for _, h := range holders {
		if b := ix.match(h.cluster, &a); b != nil {
			return b
		}
	}
	return nil
}

// holders appends the user and each of the user's groups that has been given anything.
func (ix *Index) holders(all []*holder, user *exchange.User) []*holder {
	if h, ok := ix.users.Get(user.Name); ok {
		all = append(all, h)
	}
	for _, g := range user.Groups {
		if h, ok := ix.groups.Get(g); ok {
			all = append(all, h)
		}
	}
	return all
}

// within is the workspace and the namespace whose bindings count. Inside of a namespace that is the namespace's own
// workspace and no other: a workspace that the path claims for it is not believed, so that a namespace without workspace,
// or one that does not exist, is no member's. A DevOps project is the namespace of its name.
func (ix *Index) within(at Place) (workspace, namespace string) {
	switch at.Scope {
	case exchange.ScopeNamespace, exchange.ScopeDevOps:
		return ix.Workspace(at.Namespace), at.Namespace
	case exchange.ScopeWorkspace:
		return at.Workspace, ""
	}
	return "", ""
}

func attributesOf(info *exchange.RequestInfo) attributes {
	if info.IsResourceRequest {
		return attributes{verb: info.Verb, group: info.APIGroup, resource: info.Resource, sub: info.Subresource, name: info.Name}
	}
	path := info.Path
	if path == "" {
		path = "/"
	}
	return attributes{verb: info.Verb, path: path}
}
