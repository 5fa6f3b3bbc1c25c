package visible

import (
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/posternhq/postern/gateway/exchange"
)

// keep decides about an object of a list, or a row of a Table.
func (v *view) keep(object []byte) bool {
	if row := member(object, "cells"); row != nil {
		object = member(object, "object")
	}
	show, _ := v.permitted(object)
	return show
}

// permitted decides about one object, by the rights as they are now. An error ends a watch: errChanged.
func (v *view) permitted(object []byte) (bool, error) {
	id, ok := identify(object, !v.namespaced)
	if !ok {
		return false, nil
	}
	ns, name, workspace := alias(id.namespace), alias(id.name), alias(id.workspace)
	switch {
	case v.namespaced:
		return ns != "" && v.mayIn(ns), nil
	case ns != "" || name == "":
		return false, nil
	case v.rights.isSpaces:
		return v.mayNamespace(name, workspace)
	}
	return v.mayLabelled(name, workspace)
}

// mayLabelled decides about an object of the cluster, and, in a watch, remembers it.
func (v *view) mayLabelled(name, workspace string) (bool, error) {
	if workspace != "" && v.mayWorkspace(workspace) {
		if v.labelled != nil && !v.labelled[name] {
			if len(v.labelled) >= maxLabelled {
				return false, errChanged
			}
			v.labelled[strings.Clone(name)] = true
		}
		return true, nil
	}
	if v.mayName(name) {
		return true, nil
	}
	if v.labelled[name] {
		return false, errChanged
	}
	return false, nil
}

// infos are questions to authorization: one for each event would be most of what a watch allocates.
var infos = sync.Pool{New: func() any { return new(exchange.RequestInfo) }}

// may says whether the caller may do verb at a place: in a namespace or workspace, or neither; with an object, if name is
// not empty.
func (v *view) may(verb string, scope exchange.Scope, namespace, workspace, name string) bool {
	info := infos.Get().(*exchange.RequestInfo)
	defer infos.Put(info)
	*info = v.caller.info
	info.Verb, info.Scope, info.Namespace, info.Workspace = verb, scope, namespace, workspace
	if name != "" {
		info.Name = name
	}
	may := v.stage.o.Authorizer.Authorize(v.caller.user, info).Allowed
	*info = exchange.RequestInfo{}
	return may
}

// mayIn says whether the caller may do it in a namespace.
func (v *view) mayIn(namespace string) bool {
	return v.may(v.caller.info.Verb, exchange.ScopeNamespace, namespace, "", "")
}

// mayWorkspace says whether the caller may do it in a workspace.
func (v *view) mayWorkspace(workspace string) bool {
	return v.may(v.caller.info.Verb, exchange.ScopeWorkspace, "", workspace, "")
}

// mayName says whether a role names the object.
func (v *view) mayName(name string) bool {
	if !v.rights.every || !v.named(name) {
		return false
	}
	scope := v.caller.info.Scope
	return v.may(v.caller.info.Verb, scope, "", "", name) || v.may("get", scope, "", "", name)
}

// named says whether the object was among those that the caller could see when the request began.
func (v *view) named(name string) bool {
	_, found := slices.BinarySearch(v.rights.names, name)
	return found
}

// mayNamespace says whether the caller may see a namespace. The workspace that authorization knows it to be in may be an
// older one, or a newer one, than that of the object at hand. Then the object's own counts, too; and a watch begins anew,
// since nobody can say what its client has seen.
func (v *view) mayNamespace(name, workspace string) (bool, error) {
	if !v.may(v.caller.info.Verb, exchange.ScopeNamespace, name, "", name) &&
		!(v.named(name) && v.may("get", exchange.ScopeNamespace, name, "", name)) {
		return false, nil
	}
	if known := v.stage.o.Workspace(name); known != workspace {
		return workspace != "" && v.mayWorkspace(workspace), errChanged
	}
	return true, nil
}

// alias is b as a string without a copy. Nothing that is asked about keeps it.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
