package main

// routes are all of the group, by what they are about.
var routes = joined(
	userRoutes,
	memberRoutes(cluster, "/clustermembers"),
	memberRoutes(workspace, "/workspaces/{workspace}/workspacemembers"),
	memberRoutes(namespace, "/namespaces/{namespace}/members"),
	memberRoutes(namespace, "/devops/{devops}/members"),
	roleRoutes(global, "/globalroles"),
	roleRoutes(cluster, "/clusterroles"),
	roleRoutes(workspace, "/workspaces/{workspace}/workspaceroles"),
	roleRoutes(namespace, "/namespaces/{namespace}/roles"),
	roleRoutes(namespace, "/devops/{devops}/roles"),
	groupRoutes,
	bindingRoutes,
)

func joined(all ...[]route) []route {
	var routes []route
	for _, some := range all {
		routes = append(routes, some...)
	}
	return routes
}

var userRoutes = []route{
	{"POST", "/users", createUser, false},
	{"DELETE", "/users/{user}", deleteUser, false},
	{"PUT", "/users/{user}", putUser, false},
	{"PUT", "/users/{user}/password", putPassword, false},
	{"GET", "/users/{user}", getUser, false},
	{"GET", "/users", listUsers, false},
	{"GET", "/users/{user}/loginrecords", listLoginRecords, false},
	{"GET", "/users/{user}/globalroles", listMemberRoles(global), false},
}

// memberRoutes are those of the members at a level.
func memberRoutes(l *level, path string) []route {
	one := path + "/{" + l.member + "}"
	return []route{
		{"GET", path, listMembers(l), false},
		{"GET", one, getMember(l), false},
		{"POST", path, addMembers(l), false},
		{"PUT", one, putMember(l), false},
		{"DELETE", one, deleteMember(l), false},
		{"GET", one + "/" + l.roles.resource, listMemberRoles(l), false},
	}
}

// roleRoutes are those of the roles at a level.
func roleRoutes(l *level, path string) []route {
	one := path + "/{" + l.role + "}"
	return []route{
		{"POST", path, createRole(l), true},
		{"DELETE", one, deleteRole(l), true},
		{"PUT", one, putRole(l), true},
		{"PATCH", one, patchRole(l), true},
		{"GET", path, listRoles(l), true},
		{"GET", one, getRole(l), true},
	}
}

var groupRoutes = []route{
	{"GET", "/workspaces/{workspace}/groups", listGroups, false},
	{"GET", "/workspaces/{workspace}/groups/{group}", getGroup, false},
	{"DELETE", "/workspaces/{workspace}/groups/{group}", deleteGroup, false},
	{"POST", "/workspaces/{workspace}/groups", createGroup, false},
	{"PUT", "/workspaces/{workspace}/groups/{group}", putGroup, false},
	{"PATCH", "/workspaces/{workspace}/groups/{group}", patchGroup, false},
	{"GET", "/workspaces/{workspace}/groupbindings", listBindings(groupBindings), false},
	{"DELETE", "/workspaces/{workspace}/groupbindings/{groupbinding}", deleteGroupBinding, false},
	{"POST", "/workspaces/{workspace}/groupbindings", addGroupBindings, false},
}

var bindingRoutes = []route{
	{"GET", "/workspaces/{workspace}/rolebindings", listRoleBindings, false},
	{"GET", "/workspaces/{workspace}/workspacerolebindings", listBindings(workspaceRoleBindings), false},
	{"POST", "/namespaces/{namespace}/rolebindings", addBindings(namespace), true},
	{"DELETE", "/namespaces/{namespace}/rolebindings/{rolebinding}", deleteBinding(namespace), true},
	{"POST", "/workspaces/{workspace}/workspacerolebindings", addBindings(workspace), true},
	{"DELETE", "/workspaces/{workspace}/workspacerolebindings/{rolebinding}", deleteBinding(workspace), true},
}
