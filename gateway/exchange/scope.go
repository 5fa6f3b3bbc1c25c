package exchange

// ScopeOf is the scope of what info names: the list of global resources first, then the innermost level that is named.
// It does not look at info.Scope.
func ScopeOf(info *RequestInfo) Scope {
	switch {
	case isGlobal(info.APIGroup, info.Resource):
		return ScopeGlobal
	case info.Namespace != "":
		return ScopeNamespace
	case info.DevOps != "":
		return ScopeDevOps
	case info.Workspace != "":
		return ScopeWorkspace
	}
	return ScopeCluster
}

// isGlobal is the list of resources of the platform itself, in any version and at any level of the path. Those of
// notification are on it whether it is switched on or not: a switch must not move who may do what.
func isGlobal(group, resource string) bool {
	switch group {
	case "iam.kubesphere.io":
		return resource == "users" || resource == "globalroles" || resource == "globalrolebindings"
	case "tenant.kubesphere.io":
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
