package authz

import (
	"sort"

	"github.com/posternhq/postern/gateway/exchange"
)

// Index says which rules a user has where. It is immutable: a change of a role or binding makes a new one, see Build.
// Looking up costs one map access for the user and each of the user's groups, however many bindings there are.
//
// Its memory is bounded by what the cluster stores: some 200 bytes for a subject of a binding (most of it the sentence
// that names the binding), and one matcher for each different list of rules that somebody has in one place.
type Index struct {
	users, groups map[string]*holder
	workspaces    map[string]string   // of each namespace that has one
	members       map[string][]string // the namespaces of each workspace
	epoch         uint64

	ids      map[Rules]uint32    // carried from index to index, so that the same rules are compiled once
	matchers map[string]*matcher // by the ids of their rules
	nextID   uint32
}

// holder is what one user or group has been given.
type holder struct {
	global, cluster       *grants
	workspaces, namespace []scoped // sorted by name
}

// scoped is what a holder has in one workspace or namespace.
type scoped struct {
	name   string
	grants *grants
}

// grants are roles that hold in the same place for the same subject. reasons has a sentence for each role of m.
type grants struct {
	m       *matcher
	reasons []string
}

func (g *grants) allow(a *attributes) (string, bool) {
	if g == nil {
		return "", false
	}
	if i := g.m.match(a); i >= 0 {
		return g.reasons[i], true
	}
	return "", false
}

// find is what is held in the place called name. No place has an empty name: a request without workspace has nobody's
// workspace roles, not everybody's.
func find(places []scoped, name string) *grants {
	if name == "" || len(places) == 0 {
		return nil
	}
	i := sort.Search(len(places), func(i int) bool { return places[i].name >= name })
	if i < len(places) && places[i].name == name {
		return places[i].grants
	}
	return nil
}

// Workspace is the workspace that namespace belongs to; empty if it belongs to none or is unknown.
func (ix *Index) Workspace(namespace string) string {
	if ix == nil || namespace == "" {
		return ""
	}
	return ix.workspaces[namespace]
}

// allow says whether any role of the user allows the request, and which. It allocates nothing for users with up to
// 32 groups that have bindings.
func (ix *Index) allow(user *exchange.User, info *exchange.RequestInfo) (reason string, ok bool) {
	if ix == nil {
		return "", false
	}
	var room [33]*holder
	holders := ix.holders(room[:0], user)
	if len(holders) == 0 {
		return "", false
	}
	a := attributesOf(info)
	for _, h := range holders {
		if reason, ok = h.global.allow(&a); ok {
			return reason, true
		}
	}
	if info.Scope == exchange.ScopeGlobal {
		return "", false
	}
	workspace, namespace := ix.within(In(info))
	for _, h := range holders {
		if reason, ok = find(h.workspaces, workspace).allow(&a); ok {
			return reason, true
		}
	}
	for _, h := range holders {
		if reason, ok = find(h.namespace, namespace).allow(&a); ok {
			return reason, true
		}
	}
	for _, h := range holders {
		if reason, ok = h.cluster.allow(&a); ok {
			return reason, true
		}
	}
	return "", false
}

// holders appends the user and each of the user's groups that has been given anything.
func (ix *Index) holders(all []*holder, user *exchange.User) []*holder {
	if h := ix.users[user.Name]; h != nil {
		all = append(all, h)
	}
	for _, g := range user.Groups {
		if h := ix.groups[g]; h != nil {
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
