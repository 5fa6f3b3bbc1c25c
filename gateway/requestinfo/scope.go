package requestinfo

import "github.com/posternhq/postern/gateway/exchange"

const groupTenant = "tenant.kubesphere.io"

// scopeOf is the scope a path says: the list of global resources first, then the innermost level that it names.
func scopeOf(info *exchange.RequestInfo) exchange.Scope {
	switch {
	case isGlobal(info.APIGroup, info.Resource):
		return exchange.ScopeGlobal
	case info.Namespace != "":
		return exchange.ScopeNamespace
	case info.DevOps != "":
		return exchange.ScopeDevOps
	case info.Workspace != "":
		return exchange.ScopeWorkspace
	}
	return exchange.ScopeCluster
}

// isGlobal is the list of resources of the platform itself, in any version and at any level of the path. Those of
// notification are on it whether it is switched on or not: a switch must not move who may do what.
func isGlobal(group, resource string) bool {
	switch group {
	case "iam.kubesphere.io":
		return resource == "users" || resource == "globalroles" || resource == "globalrolebindings"
	case groupTenant:
		return resource == "workspaces" || resource == "clusters"
	case "cluster.kubesphere.io", "resources.kubesphere.io":
		return resource == "clusters"
	case "notification.kubesphere.io":
		switch resource {
		case "configs", "receivers", "notificationmanagers", "routers", "silences":
			return true
		}
	}
	return false
}
