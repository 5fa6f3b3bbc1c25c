package main

import (
	"fmt"
	"iter"
)

// size is how large a platform is: users, namespaces of 50 a workspace, and bindings.
type size struct{ users, namespaces, bindings int }

// resource is a kind, and where it is: before the namespace, and after it.
type resource struct{ api, name, kind string }

const (
	iam  = "iam.kubesphere.io/v1alpha2"
	rbac = "rbac.authorization.k8s.io/v1"
)

var (
	namespaces            = resource{"v1", "namespaces", "Namespace"}
	users                 = resource{iam, "users", "User"}
	globalRoles           = resource{iam, "globalroles", "GlobalRole"}
	globalRoleBindings    = resource{iam, "globalrolebindings", "GlobalRoleBinding"}
	workspaceRoles        = resource{iam, "workspaceroles", "WorkspaceRole"}
	workspaceRoleBindings = resource{iam, "workspacerolebindings", "WorkspaceRoleBinding"}
	clusterRoles          = resource{rbac, "clusterroles", "ClusterRole"}
	clusterRoleBindings   = resource{rbac, "clusterrolebindings", "ClusterRoleBinding"}
	roles                 = resource{rbac, "roles", "Role"}
	roleBindings          = resource{rbac, "rolebindings", "RoleBinding"}
)

// path is where objects of the resource are listed; in a namespace if one is given.
func (r resource) path(namespace string) string {
	prefix := "/apis/" + r.api
	if r.api == "v1" {
		prefix = "/api/v1"
	}
	if namespace != "" {
		prefix += "/namespaces/" + namespace
	}
	return prefix + "/" + r.name
}

// object is one object of a platform. labels and rest are JSON: of the metadata, and behind it.
type object struct {
	of                           resource
	namespace, name, label, rest string
}

// json is the object as one creates it, or with more metadata, which begins with a comma.
func (o object) json(metadata string) string {
	if o.namespace != "" {
		metadata = fmt.Sprintf(`,"namespace":%q`, o.namespace) + metadata
	}
	if o.label != "" {
		metadata = fmt.Sprintf(`,"labels":{"kubesphere.io/workspace":%q}`, o.label) + metadata
	}
	return fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"name":%q%s}%s}`, o.of.api, o.of.kind, o.name, metadata, o.rest)
}

// stored is the metadata that a server adds.
func stored(version int) string {
	const fields = `{"f:metadata":{"f:labels":{".":{},"f:kubesphere.io/workspace":{}}},"f:roleRef":{".":{},"f:apiGroup":{},"f:kind":{},"f:name":{}},"f:subjects":{}}`
	return fmt.Sprintf(`,"uid":"00000000-0000-4000-8000-%012d","resourceVersion":"%d","creationTimestamp":"2026-01-01T00:00:00Z","generation":1,`+
		`"managedFields":[{"manager":"bench","operation":"Update","apiVersion":"v1","time":"2026-01-01T00:00:00Z","fieldsType":"FieldsV1","fieldsV1":%s}]`, version, version, fields)
}

const (
	readPods  = `,"rules":[{"verbs":["get","list","watch"],"apiGroups":["","apps"],"resources":["pods","pods/log","services","configmaps","deployments"]}]`
	readUsers = `,"rules":[{"verbs":["get","list"],"apiGroups":["iam.kubesphere.io"],"resources":["users"]}]`
	// A password that nobody knows, hashed.
	password = "$2a$10$89Dk89JNvOFFsBLn3lelz.f7VXSU8teQzvctvNphSQODXXuZ2KCsG"
)

func userName(i int) string      { return fmt.Sprintf("scale-user-%05d", i) }
func namespaceName(i int) string { return fmt.Sprintf("scale-project-%05d", i) }
func workspaceOf(i int) string   { return fmt.Sprintf("scale-workspace-%03d", i/50) }

// workspaces is how many there are.
func (s size) workspaces() int { return (s.namespaces + 49) / 50 }

// objects is everything: each user has a role of the platform and one in a workspace, and the other bindings are roles in
// namespaces, spread over users.
func (s size) objects() iter.Seq[object] {
	return func(yield func(object) bool) {
		_ = s.roles(yield) && s.places(yield) && s.people(yield) && s.members(yield)
	}
}

func (s size) roles(yield func(object) bool) bool {
	for _, o := range []object{
		{of: globalRoles, name: "scale-regular", rest: readUsers},
		{of: clusterRoles, name: "scale-viewer", rest: readPods},
		{of: clusterRoles, name: "scale-operator", rest: readPods},
	} {
		if !yield(o) {
			return false
		}
	}
	for i := range s.workspaces() {
		w := workspaceOf(50 * i)
		if !yield(object{of: workspaceRoles, name: w + "-viewer", label: w, rest: readPods}) {
			return false
		}
	}
	return true
}

func (s size) places(yield func(object) bool) bool {
	for i := range s.namespaces {
		if !yield(object{of: namespaces, name: namespaceName(i), label: workspaceOf(i)}) {
			return false
		}
	}
	return true
}

func (s size) people(yield func(object) bool) bool {
	for i := range s.users {
		name := userName(i)
		rest := fmt.Sprintf(`,"spec":{"email":"%s@example.com","lang":"en","password":%q},"status":{"state":"Active"}`, name, password)
		if !yield(object{of: users, name: name, rest: rest}) {
			return false
		}
	}
	return true
}

func (s size) members(yield func(object) bool) bool {
	for i := range s.bindings {
		if !yield(s.member(i)) {
			return false
		}
	}
	return true
}

// member is one binding of the i-th of them.
func (s size) member(i int) object {
	who := userName(i % s.users)
	to := func(kind, role string) string {
		return fmt.Sprintf(`,"roleRef":{"apiGroup":%q,"kind":%q,"name":%q},"subjects":[{"kind":"User","apiGroup":"rbac.authorization.k8s.io","name":%q}]`,
			map[bool]string{true: "rbac.authorization.k8s.io", false: "iam.kubesphere.io"}[kind == "ClusterRole"], kind, role, who)
	}
	switch i / s.users {
	case 0:
		return object{of: globalRoleBindings, name: who, rest: to("GlobalRole", "scale-regular")}
	case 1:
		w := workspaceOf(i % s.namespaces)
		return object{of: workspaceRoleBindings, name: who + "-" + w, label: w, rest: to("WorkspaceRole", w+"-viewer")}
	}
	role := "scale-viewer"
	if i%2 == 0 {
		role = "scale-operator"
	}
	return object{of: roleBindings, namespace: namespaceName((i + i/s.namespaces) % s.namespaces), name: fmt.Sprintf("%s-%d", who, i/s.users), rest: to("ClusterRole", role)}
}
