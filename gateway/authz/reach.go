package authz

import (
	"slices"

	"github.com/posternhq/postern/gateway/exchange"
)

// Namespaces says where user may do what info asks, whose own scope and place do not count. all is true if that is
// everywhere, namespaces that do not exist yet and requests of no namespace included; names is nil then. Otherwise names has,
// sorted, the namespaces in which a role of the user allows it, each once. When info names a workspace, they are those in it.
//
// Resources of the platform itself (scope Global) are in no namespace: for them all says whether the user may.
//
// It costs in proportion to the places in which the user has roles and to the names that it returns. names is the caller's.
func (z *Authorizer) Namespaces(user *exchange.User, info *exchange.RequestInfo) (names []string, all bool) {
	ix, a, all, ok := z.reach(user, info)
	if !ok || all {
		return nil, all
	}
	for _, h := range ix.holders(nil, user) {
		for name, g := range h.workspaces.All() {
			if (info.Workspace == "" || name == info.Workspace) && ix.match(g, &a) != nil {
				names = ix.appendMembers(names, name)
			}
		}
		for name, g := range h.namespaces.All() {
			if (info.Workspace == "" || ix.Workspace(name) == info.Workspace) && ix.match(g, &a) != nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), false
}

// appendMembers appends the namespaces of a workspace.
func (ix *Index) appendMembers(names []string, workspace string) []string {
	members, _ := ix.members.Get(workspace)
	for name := range members.All() {
		names = append(names, name)
	}
	return names
}

// Workspaces is what Namespaces is, for workspaces: in which of them a role of the workspace, or one that holds everywhere,
// allows what info asks.
func (z *Authorizer) Workspaces(user *exchange.User, info *exchange.RequestInfo) (names []string, all bool) {
	ix, a, all, ok := z.reach(user, info)
	if !ok || all {
		return nil, all
	}
	for _, h := range ix.holders(nil, user) {
		for name, g := range h.workspaces.All() {
			if ix.match(g, &a) != nil {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), false
}

// reach decides what holds everywhere. ok is false if nothing is left to look at.
func (z *Authorizer) reach(user *exchange.User, info *exchange.RequestInfo) (ix *Index, a attributes, all, ok bool) {
	switch {
	case z.mode == AlwaysAllow:
		return nil, a, true, true
	case z.mode == AlwaysDeny || user == nil:
		return nil, a, false, false
	}
	if ix = z.index(); ix == nil {
		return nil, a, false, false
	}
	a = attributesOf(info)
	platform := exchange.ScopeOf(info) == exchange.ScopeGlobal
	for _, h := range ix.holders(nil, user) {
		if ix.match(h.global, &a) != nil || !platform && ix.match(h.cluster, &a) != nil {
			return ix, a, true, true
		}
	}
	return ix, a, false, !platform
}

// Changed is closed once decisions may be others than those made after the call: a role, a binding or a namespace's
// workspace has changed, whoever's. What follows a user's rights waits for it, then asks again; changes that come together
// are one. It is nil, which blocks for ever, where nothing changes.
func (z *Authorizer) Changed() <-chan struct{} {
	if z.source == nil || z.mode == AlwaysAllow || z.mode == AlwaysDeny {
		return nil
	}
	return z.source.Changed()
}

// Epoch grows with every change of a decision. Equal epochs mean equal decisions.
func (z *Authorizer) Epoch() uint64 {
	if ix := z.index(); ix != nil {
		return ix.epoch
	}
	return 0
}
