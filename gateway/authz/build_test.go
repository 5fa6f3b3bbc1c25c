package authz_test

import (
	"fmt"
	"testing"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

func TestChangesTakeEffectInTheNextIndexOnly(t *testing.T) {
	o, d := platform(), authz.NewDraft()
	d.Add(o)
	before := d.Commit()
	if d.Commit() != nil {
		t.Error("nothing has changed")
	}
	d.Roles().Set(role("ns1", "reader", allow("get", "", "services")))
	changed := *o.RoleBindings[0]
	changed.Subjects = changed.Subjects[:1]
	d.RoleBindings().Set(&changed)
	d.SetWorkspace("ns1", "")
	d.SetWorkspace("ns2", "ws1")
	after := d.Commit()

	check := func(ix *authz.Index, who string, groups []string, resource, namespace string, want bool) {
		t.Helper()
		info := get(resource, namespace)
		if d := authz.NewAuthorizer("", fixed{index: ix}).Authorize(&exchange.User{Name: who, Groups: groups}, &info); d.Allowed != want {
			t.Errorf("%s of %v on %s in %s: %v", who, groups, resource, namespace, d)
		}
	}
	check(before, "nick", nil, "pods", "ns1", true)
	check(after, "nick", nil, "pods", "ns1", false)
	check(before, "nick", nil, "services", "ns1", false)
	check(after, "nick", nil, "services", "ns1", true)
	check(before, "paul", []string{"devs"}, "pods", "ns1", true)
	check(after, "paul", []string{"devs"}, "services", "ns1", false)
	check(before, "wanda", nil, "secrets", "ns1", true)
	check(after, "wanda", nil, "secrets", "ns1", false)
	check(after, "wanda", nil, "secrets", "ns2", true)
}

// A user with more roles in one place than a block holds rules.
func TestManyRolesInOnePlace(t *testing.T) {
	var o authz.Objects
	for i := range 200 {
		name := fmt.Sprintf("r%03d", i)
		o.ClusterRoles = append(o.ClusterRoles, role("", name, authz.Rule{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{name}}))
		o.ClusterRoleBindings = append(o.ClusterRoleBindings, &authz.Binding{Name: "b-" + name, RoleKind: "ClusterRole", Role: name, Subjects: []authz.Subject{user("x")}})
	}
	z := authz.NewAuthorizer("", fixed{index: authz.Build(o)})
	for i := range 200 {
		info := get("configmaps", "")
		info.Name = fmt.Sprintf("r%03d", i)
		want := fmt.Sprintf(`RBAC: allowed by ClusterRoleBinding "b-%s" of ClusterRole "%s" to User "x"`, info.Name, info.Name)
		u := &exchange.User{Name: "x"}
		if d := z.Authorize(u, &info); d.Why(u) != want {
			t.Errorf("%s: %+v", info.Name, d)
		}
	}
	info := get("configmaps", "")
	if d := z.Authorize(&exchange.User{Name: "x"}, &info); d.Allowed {
		t.Errorf("list: %+v", d)
	}
}

// More groups with bindings than have room on the stack.
func TestManyGroups(t *testing.T) {
	var o authz.Objects
	var groups []string
	o.ClusterRoles = []*authz.Role{role("", "empty"), role("", "nodes", allow("get", "", "nodes"))}
	for i := range 100 {
		g := fmt.Sprintf("g%d", i)
		groups = append(groups, g)
		r := "empty"
		if i == 99 {
			r = "nodes"
		}
		o.ClusterRoleBindings = append(o.ClusterRoleBindings, &authz.Binding{Name: g, RoleKind: "ClusterRole", Role: r, Subjects: []authz.Subject{group(g)}})
	}
	z := authz.NewAuthorizer("", fixed{index: authz.Build(o)})
	info := get("nodes", "")
	if d := z.Authorize(&exchange.User{Name: "x", Groups: groups}, &info); !d.Allowed {
		t.Error(d)
	}
	if d := z.Authorize(&exchange.User{Name: "x", Groups: groups[:99]}, &info); d.Allowed {
		t.Error(d)
	}
}
