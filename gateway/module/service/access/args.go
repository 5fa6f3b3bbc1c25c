package access

import (
	"errors"
	"fmt"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module/service"
	"github.com/posternhq/postern/hostabi"
)

var (
	once = []hostabi.Tag{
		hostabi.TagOperation, hostabi.TagVerb, hostabi.TagGroup, hostabi.TagVersion, hostabi.TagResource, hostabi.TagSubresource, hostabi.TagName,
		hostabi.TagPath, hostabi.TagScope, hostabi.TagWorkspace, hostabi.TagNamespace, hostabi.TagDevOps, hostabi.TagUser, hostabi.TagKind,
	}
	many = []hostabi.Tag{hostabi.TagUserGroup}
)

// infoOf is the request that a call asks about.
func infoOf(args service.Args) (*exchange.RequestInfo, error) {
	info := &exchange.RequestInfo{
		Verb: args.Get(hostabi.TagVerb), APIGroup: args.Get(hostabi.TagGroup), APIVersion: args.Get(hostabi.TagVersion),
		Resource: args.Get(hostabi.TagResource), Subresource: args.Get(hostabi.TagSubresource), Name: args.Get(hostabi.TagName),
		Workspace: args.Get(hostabi.TagWorkspace), Namespace: args.Get(hostabi.TagNamespace), DevOps: args.Get(hostabi.TagDevOps),
		Path: args.Get(hostabi.TagPath),
	}
	switch {
	case info.Verb == "":
		return nil, errors.New("the verb is missing")
	case (info.Path == "") == (info.Resource == ""):
		return nil, errors.New("either a resource is asked about, or a path")
	}
	info.IsResourceRequest = info.Path == ""
	var err error
	info.Scope, err = scopeOf(args, exchange.ScopeOf(info))
	return info, err
}

// scopes are the scopes by name.
var scopes = map[string]exchange.Scope{
	exchange.ScopeCluster.String(): exchange.ScopeCluster, exchange.ScopeGlobal.String(): exchange.ScopeGlobal,
	exchange.ScopeWorkspace.String(): exchange.ScopeWorkspace, exchange.ScopeNamespace.String(): exchange.ScopeNamespace,
	exchange.ScopeDevOps.String(): exchange.ScopeDevOps,
}

// scopeOf is the scope that is named, else otherwise. A level without its place is refused: it would be that of nobody.
func scopeOf(args service.Args, otherwise exchange.Scope) (exchange.Scope, error) {
	name := args.Get(hostabi.TagScope)
	if name == "" {
		return otherwise, nil
	}
	scope, ok := scopes[name]
	if !ok {
		return 0, fmt.Errorf("%.80q is not a scope", name)
	}
	need := map[exchange.Scope]hostabi.Tag{
		exchange.ScopeWorkspace: hostabi.TagWorkspace, exchange.ScopeNamespace: hostabi.TagNamespace, exchange.ScopeDevOps: hostabi.TagDevOps,
	}[scope]
	if need != 0 && args.Get(need) == "" {
		return 0, fmt.Errorf("scope %s needs the name of its place", name)
	}
	return scope, nil
}

// placeOf is where something is granted.
func placeOf(args service.Args) (authz.Place, error) {
	info := exchange.RequestInfo{
		Workspace: args.Get(hostabi.TagWorkspace), Namespace: args.Get(hostabi.TagNamespace), DevOps: args.Get(hostabi.TagDevOps),
	}
	scope, err := scopeOf(args, exchange.ScopeOf(&info))
	info.Scope = scope
	return authz.In(&info), err
}
