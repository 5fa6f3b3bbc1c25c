package visible

import (
	"slices"
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
)

// rights are what a caller may see of a resource that may not be listed as a whole. Which of the parts counts depends on
// whether the resource is in namespaces.
type rights struct {
	namespaces []string // in which the caller may list it
	names      []string // of cluster-scoped objects that a role names, or of namespaces
	workspaces []string // whose cluster-scoped objects the caller may list
	every      bool     // all kinds are shown, not the tenancy's alone
	isSpaces   bool     // the resource is namespaces
}

// places are the namespaces or names that lists are put together from, in kube-apiserver's order.
func (r *rights) places(namespaced bool) []string {
	if namespaced {
		return r.namespaces
	}
	return r.names
}

// none says whether there is nothing to see, so that the refusal is the answer. Of namespaces there may be none yet.
func (r *rights) none(namespaced bool) bool {
	if namespaced {
		return !r.every || len(r.namespaces) == 0
	}
	return !r.isSpaces && len(r.names) == 0 && len(r.workspaces) == 0
}

func (r *rights) equal(o *rights) bool {
	return r.every == o.every && slices.Equal(r.namespaces, o.namespaces) && slices.Equal(r.names, o.names) &&
		slices.Equal(r.workspaces, o.workspaces)
}

// unauthenticated is the group of requests without credentials: they are told what they were told before.
const unauthenticated = "system:unauthenticated"

// rightsOf reads the caller's rights. info is of a list or watch of all objects.
func (s *Stage) rightsOf(user *exchange.User, info *exchange.RequestInfo) rights {
	base := *info
	base.Workspace = ""
	base.Scope = exchange.ScopeOf(&base)
	r := rights{every: s.shows(user, &base)}
	if r.isSpaces = isNamespaces(&base); r.isSpaces {
		r.names = s.visibleNamespaces(user, &base)
	} else {
		if r.every || ofPlatform(&base) || strings.HasPrefix(base.LabelSelector, workspaceLabel) {
			r.workspaces, _ = s.o.Authorizer.Workspaces(user, &base)
		}
		if r.every {
			r.namespaces, _ = s.o.Authorizer.Namespaces(user, &base)
			slices.SortFunc(r.namespaces, byKey)
			r.names = s.named(user, &base)
		}
	}
	if base.Name != "" { // of the field selector: only that one is asked for
		r.names = slices.DeleteFunc(r.names, func(name string) bool { return name != base.Name })
	}
	return r
}

// isNamespaces says whether info is about namespaces.
func isNamespaces(info *exchange.RequestInfo) bool {
	return info.Resource == "namespaces" && info.APIGroup == ""
}

// ofPlatform says whether the kind is one of the platform's own, which it labels with workspaces. Others are labelled rarely:
// an empty list of nodes instead of a refusal would tell a tenant less.
func ofPlatform(info *exchange.RequestInfo) bool {
	return strings.HasSuffix(info.APIGroup, ".kubesphere.io")
}

// byKey compares as etcd does the keys `namespace/name`, in which order kube-apiserver lists: a- comes before a/.
func byKey(a, b string) int { return strings.Compare(a+"/", b+"/") }

// visibleNamespaces are the namespaces of which the caller may list or get the object, by a role in them or in their
// workspace, or by a role that names them. Who may get all of them, but not list them, may not find them out here.
func (s *Stage) visibleNamespaces(user *exchange.User, base *exchange.RequestInfo) []string {
	unnamed := *base
	unnamed.Name = ""
	names, _ := s.o.Authorizer.Namespaces(user, &unnamed)
	unnamed.Verb = "get"
	got, _ := s.o.Authorizer.Namespaces(user, &unnamed)
	names = append(append(names, got...), s.named(user, base)...)
	slices.Sort(names)
	return slices.Compact(names)
}

// named are the objects that the caller may list or get because a role names them, sorted.
func (s *Stage) named(user *exchange.User, base *exchange.RequestInfo) []string {
	names := s.o.Names(user, base)
	names = slices.DeleteFunc(names, func(name string) bool { return name == "" || !s.mayName(user, base, name) })
	slices.Sort(names)
	return slices.Compact(names)
}

// mayName says whether a role names the cluster-scoped object of that name for listing or getting.
func (s *Stage) mayName(user *exchange.User, base *exchange.RequestInfo, name string) bool {
	one := *base
	one.Name = name
	if s.o.Authorizer.Authorize(user, &one).Allowed {
		return true
	}
	one.Verb = "get"
	return s.o.Authorizer.Authorize(user, &one).Allowed
}

// The resource by which roles show kinds: a rule of group postern.dev, resource visiblelists, verb use, and as resource
// names those of the kinds, as pods or deployments.apps; without, all kinds.
const (
	grantGroup    = "postern.dev"
	grantResource = "visiblelists"
	grantVerb     = "use"
)

// shows says whether every kind is shown to the caller, not the tenancy's alone.
func (s *Stage) shows(user *exchange.User, base *exchange.RequestInfo) bool {
	if s.o.Mode == On {
		return true
	}
	kind := base.Resource
	if base.APIGroup != "" {
		kind += "." + base.APIGroup
	}
	ask := exchange.RequestInfo{
		Verb: grantVerb, APIPrefix: "apis", APIGroup: grantGroup, APIVersion: "v1alpha1", Resource: grantResource, Name: kind,
		IsResourceRequest: true, Scope: exchange.ScopeCluster,
	}
	return s.o.Authorizer.Authorize(user, &ask).Allowed
}
