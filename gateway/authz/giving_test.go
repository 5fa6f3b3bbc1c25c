package authz_test

import (
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

// Who may write bindings gives with them only what Kubernetes would let them give: kube-apiserver, which sees every user with
// the group that may do everything, does not stop them.
func TestNobodyGivesPastTheCheck(t *testing.T) {
	const rbac, iam = "rbac.authorization.k8s.io", "iam.kubesphere.io"
	o := platform()
	give := func(name string, rules ...authz.Rule) {
		o.ClusterRoles = append(o.ClusterRoles, role("", name, rules...))
		o.ClusterRoleBindings = append(o.ClusterRoleBindings, &authz.Binding{Name: name, RoleKind: "ClusterRole", Role: name, Subjects: []authz.Subject{user(name)}})
		o.GlobalRoles = append(o.GlobalRoles, role("", name, rules...))
		o.GlobalRoleBindings = append(o.GlobalRoleBindings, &authz.Binding{Name: name, RoleKind: "GlobalRole", Role: name, Subjects: []authz.Subject{user(name)}})
	}
	kinds := "roles,clusterroles,rolebindings,clusterrolebindings,globalroles,globalrolebindings,workspaceroles,workspacerolebindings,users,groupbindings"
	give("writer", allow("create,update,patch,delete", rbac+","+iam, kinds))
	give("binder", allow("create,update,patch,delete", rbac+","+iam, kinds), allow("bind", rbac+","+iam, "roles,clusterroles,globalroles,workspaceroles"))
	give("half", allow("create", rbac, "rolebindings"), allow("bind", rbac, "roles"))
	s := authz.New(authz.Options{Authorizer: authz.NewAuthorizer("", fixed{index: authz.Build(o)})})
	for _, c := range []struct {
		user, verb, group, resource, namespace string
		want                                   bool
	}{
		{"root", "create", iam, "globalrolebindings", "", true},
		{"wanda", "create", rbac, "rolebindings", "ns1", true},
		{"wanda", "patch", rbac, "roles", "ns1", true},
		{"writer", "create", rbac, "rolebindings", "ns1", false},
		{"writer", "update", rbac, "roles", "ns1", false},
		{"writer", "patch", rbac, "clusterroles", "", false},
		{"writer", "create", rbac, "clusterrolebindings", "", false},
		{"writer", "create", iam, "globalrolebindings", "", false},
		{"writer", "patch", iam, "globalroles", "", false},
		{"writer", "patch", iam, "workspaceroles", "", false},
		{"writer", "create", iam, "workspacerolebindings", "", false},
		{"writer", "patch", iam, "users", "", false},
		{"writer", "create", iam, "groupbindings", "", false},
		{"writer", "delete", rbac, "rolebindings", "ns1", true},
		{"binder", "create", rbac, "rolebindings", "ns1", true},
		{"binder", "create", iam, "globalrolebindings", "", true},
		{"binder", "create", rbac, "roles", "ns1", false},
		{"half", "create", rbac, "rolebindings", "ns1", false},
	} {
		info := exchange.RequestInfo{Verb: c.verb, APIPrefix: "apis", APIGroup: c.group, Resource: c.resource, Namespace: c.namespace, IsResourceRequest: true, IsKubernetesRequest: true}
		info.Scope = exchange.ScopeOf(&info)
		resp, reached := serve(s, &exchange.User{Name: c.user}, info)
		if reached != c.want {
			t.Errorf("%+v: passed on %v", c, reached)
		}
		f := s.Explain(&exchange.Exchange{User: &exchange.User{Name: c.user}, Info: info})
		if (f.Verdict == exchange.Pass) != c.want {
			t.Errorf("%+v: explained %+v", c, f)
		}
		if !c.want && (resp.StatusCode() != 403 || !strings.Contains(string(resp.Body()), "by this path one could give what one does not have") || !strings.Contains(f.Reason, "without ")) {
			t.Errorf("%+v: %d %s, %s", c, resp.StatusCode(), resp.Body(), f.Reason)
		}
		info.IsKubernetesRequest, info.APIPrefix = false, "kapis" // a module, which looks at what is given
		if _, reached := serve(s, &exchange.User{Name: c.user}, info); !reached {
			t.Errorf("%+v: a module is not reached", c)
		}
	}
}
