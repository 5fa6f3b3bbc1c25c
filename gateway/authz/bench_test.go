package authz_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

// manyObjects is n bindings of each of four kinds, for n users in n/5 namespaces and n/50 workspaces.
func manyObjects(n int) authz.Objects {
	o := authz.Objects{
		GlobalRoles:    []*authz.Role{role("", "regular", allow("get,list", "iam.kubesphere.io", "users"))},
		WorkspaceRoles: []*authz.Role{role("", "viewer", allow("get,list,watch", "*", "namespaces,workspaces"))},
		ClusterRoles:   []*authz.Role{role("", "metrics", allow("get,list", "metrics.k8s.io", "nodes,pods")), role("", "basic", allow("create", "authorization.k8s.io", "selfsubjectaccessreviews"))},
		Workspaces:     map[string]string{},
	}
	o.ClusterRoleBindings = []*authz.Binding{{Name: "basic", RoleKind: "ClusterRole", Role: "basic", Subjects: []authz.Subject{group("system:authenticated")}}}
	for i := range n {
		ns, ws, who := fmt.Sprintf("ns-%d", i/5), fmt.Sprintf("ws-%d", i/50), []authz.Subject{user(fmt.Sprintf("user-%d", i))}
		if i%5 == 0 {
			o.Roles = append(o.Roles, role(ns, "operator", allow("*", "*", "deployments,pods,pods/log,services"), allow("get,list,watch", "", "secrets")))
			o.Workspaces[ns] = ws
		}
		name := fmt.Sprintf("b-%d", i)
		o.GlobalRoleBindings = append(o.GlobalRoleBindings, &authz.Binding{Name: name, RoleKind: "GlobalRole", Role: "regular", Subjects: who})
		o.WorkspaceRoleBindings = append(o.WorkspaceRoleBindings, &authz.Binding{Name: name, Workspace: ws, RoleKind: "WorkspaceRole", Role: "viewer", Subjects: who})
		o.RoleBindings = append(o.RoleBindings, &authz.Binding{Namespace: ns, Name: name, RoleKind: "Role", Role: "operator", Subjects: who})
		o.ClusterRoleBindings = append(o.ClusterRoleBindings, &authz.Binding{Name: name, RoleKind: "ClusterRole", Role: "metrics", Subjects: who})
	}
	return o
}

// crowded is an authorizer with many bindings, and a user with one of each kind and eight groups.
func crowded(n int) (*authz.Authorizer, *exchange.User) {
	z := authz.NewAuthorizer(authz.RBAC, fixed{index: authz.Build(manyObjects(n))})
	return z, &exchange.User{Name: "user-7", Groups: []string{"a", "b", "c", "d", "e", "f", "g", "system:authenticated"}}
}

func questions() map[string]exchange.RequestInfo {
	in := func(verb, resource, namespace string) exchange.RequestInfo {
		return exchange.RequestInfo{Path: "/api/v1/namespaces/x", Verb: verb, Resource: resource, Namespace: namespace, Scope: exchange.ScopeNamespace, IsResourceRequest: true}
	}
	sub := in("get", "pods", "ns-1")
	sub.Subresource, sub.Name = "log", "p"
	return map[string]exchange.RequestInfo{
		"allowed":     in("list", "pods", "ns-1"),
		"subresource": sub,
		"denied":      in("delete", "secrets", "ns-1"),
		"elsewhere":   in("list", "pods", "kube-system"),
		"global":      {Path: "/kapis/x", Verb: "list", APIGroup: "iam.kubesphere.io", Resource: "users", Scope: exchange.ScopeGlobal, IsResourceRequest: true},
		"path":        {Path: "/apis/apps/v1", Verb: "get"},
	}
}

func BenchmarkAuthorize(b *testing.B) {
	for _, n := range []int{10, 5000, 100_000} {
		z, u := crowded(n)
		for name, info := range questions() {
			b.Run(fmt.Sprintf("bindings=%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					z.Authorize(u, &info)
				}
			})
		}
	}
}

// BenchmarkChange exchanges one binding, or one role that 5,000 users have, and makes a snapshot.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{10, 5000, 100_000} {
		d := authz.NewDraft()
		d.Add(manyObjects(n))
		d.Commit()
		i := 0
		b.Run(fmt.Sprintf("bindings=%d/binding", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				i++
				d.WorkspaceRoleBindings().Set(&authz.Binding{
					Name: fmt.Sprintf("b-%d", i%n), Workspace: fmt.Sprintf("ws-%d", i%2), RoleKind: "WorkspaceRole", Role: "viewer",
					Subjects: []authz.Subject{user(fmt.Sprintf("user-%d", i%n))},
				})
				d.Commit()
			}
		})
		b.Run(fmt.Sprintf("bindings=%d/role", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				i++
				d.WorkspaceRoles().Set(role("", "viewer", allow([]string{"get", "list"}[i%2], "*", "namespaces")))
				d.Commit()
			}
		})
	}
}

// BenchmarkMemory reports what an index and its draft hold for each of the objects that are bindings: names that objects share
// are shared, as gateway/kube has it.
func BenchmarkMemory(b *testing.B) {
	for _, n := range []int{5000, 25_000} {
		b.Run(fmt.Sprintf("bindings=%d", 4*n), func(b *testing.B) {
			o := manyObjects(n)
			for b.Loop() {
				before := live()
				d := authz.NewDraft()
				d.Add(o)
				ix := d.Commit()
				b.ReportMetric(float64(live()-before)/float64(4*n), "B/binding")
				runtime.KeepAlive(d)
				runtime.KeepAlive(ix)
			}
			runtime.KeepAlive(o)
		})
	}
}

func live() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
