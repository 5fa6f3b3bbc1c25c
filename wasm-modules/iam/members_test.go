package main

import (
	"strings"
	"testing"
)

// members are the users that have a role in a place.
func members(t *testing.T, b *bench) {
	for _, p := range []struct {
		path, roles, role, other, note string
	}{
		{"/clustermembers", "clusterroles", "view", "admin", "clusterrole"},
		{"/workspaces/demo/workspacemembers", "workspaceroles", "demo-viewer", "demo-admin", "workspacerole"},
		{"/namespaces/demo-shop/members", "roles", "viewer", "operator", "role"},
	} {
		_, before := b.list(t, "admin", "GET "+p.path)
		added := b.ask(t, "admin", "POST "+p.path, `[{"username":"carol","roleRef":"`+p.role+`"},{"username":"otto","roleRef":"`+p.role+`"}]`, 200)
		equal(t, "added", added, `[{"username":"carol","roleRef":"`+p.role+`"},{"username":"otto","roleRef":"`+p.role+`"}]`)
		names, total := b.list(t, "admin", "GET "+p.path+"?"+p.note+"="+p.role+"&name=carol")
		equal(t, "members", names, "carol")
		equal(t, "members found", total, 1)
		if _, all := b.list(t, "admin", "GET "+p.path); all != before+2 {
			t.Errorf("%s has %d members, had %d", p.path, all, before)
		}
		m := b.object(t, "admin", "GET "+p.path+"/carol", "")
		equal(t, "role", m.annotation("iam.kubesphere.io/"+p.note), p.role)
		equal(t, "roles", b.array(t, "admin", "GET "+p.path+"/carol/"+p.roles, ""), p.role)
		b.ask(t, "admin", "PUT "+p.path+"/carol", `{"username":"carol","roleRef":"`+p.other+`"}`, 200)
		equal(t, "other role", b.array(t, "admin", "GET "+p.path+"/carol/"+p.roles, ""), p.other)
		equal(t, "removed", b.ask(t, "admin", "DELETE "+p.path+"/carol", "", 200), `{"message":"success"}`)
		b.ask(t, "admin", "DELETE "+p.path+"/carol", "", 404)
		b.ask(t, "admin", "GET "+p.path+"/carol", "", 404)
		b.ask(t, "admin", "GET "+p.path+"/ghost", "", 404)
		equal(t, "roles of nobody here", b.ask(t, "admin", "GET "+p.path+"/carol/"+p.roles, "", 200), "[]")
		b.ask(t, "admin", "PUT "+p.path+"/carol", `{"username":"otto","roleRef":"`+p.role+`"}`, 400)
	}
	b.ask(t, "admin", "POST /workspaces/nowhere/workspacemembers", `[{"username":"carol","roleRef":"demo-viewer"}]`, 404)
	b.ask(t, "admin", "POST /namespaces/nowhere/members", `[{"username":"carol","roleRef":"viewer"}]`, 404)
	// Two users and roles whose names make the same name of a binding.
	b.world.add(users, `{"metadata":{"name":"a"}}`)
	b.world.add(users, `{"metadata":{"name":"a-b"}}`)
	b.world.add(roles, `{"metadata":{"name":"b-c","namespace":"demo-shop"}}`)
	b.world.add(roles, `{"metadata":{"name":"c","namespace":"demo-shop"}}`)
	b.ask(t, "admin", "POST /namespaces/demo-shop/members", `[{"username":"a","roleRef":"b-c"},{"username":"a-b","roleRef":"c"}]`, 200)
	equal(t, "its role", b.array(t, "admin", "GET /namespaces/demo-shop/members/a-b/roles", ""), "c")
}

// allOrNone: of several members all are made or none, whatever is wrong with one, and when it is found.
func allOrNone(t *testing.T, b *bench) {
	const path = "POST /namespaces/demo-shop/members"
	before := b.world.names(roleBindings)
	for _, c := range inOrder(map[string]int{
		`[{"username":"carol","roleRef":"viewer"},{"username":"ghost","roleRef":"viewer"}]`:   404,
		`[{"username":"carol","roleRef":"viewer"},{"username":"otto","roleRef":"not-there"}]`: 404,
		`[{"username":"carol","roleRef":"viewer"},{"username":"carol","roleRef":"viewer"}]`:   400,
		`[{"username":"carol","roleRef":"viewer"},{"username":"otto"}]`:                       400,
		`[]`:    400,
		`{}`:    400,
		`[] []`: 400,
		`[` + strings.Repeat(`{"username":"carol","roleRef":"viewer"},`, 500) + `{"username":"otto","roleRef":"viewer"}]`: 413,
	}) {
		body, code := c.key, c.value
		b.ask(t, "admin", path, body, code)
	}
	equal(t, "nothing was written", strings.Join(b.world.asked, ","), "")
	b.world.failing["create rolebindings"] = 2
	b.ask(t, "admin", path, `[{"username":"bob","roleRef":"operator"},{"username":"carol","roleRef":"viewer"},{"username":"otto","roleRef":"viewer"}]`, 503)
	equal(t, "all is as it was", b.array(t, "admin", "GET /namespaces/demo-shop/members/bob/roles", "")+" "+b.world.names(roleBindings), "viewer "+before)
	b.world.failing["delete rolebindings"] = 0
	b.ask(t, "admin", path, `[{"username":"bob","roleRef":"operator"},{"username":"carol","roleRef":"viewer"}]`, 503)
	equal(t, "all is as it was", b.array(t, "admin", "GET /namespaces/demo-shop/members/bob/roles", "")+" "+b.world.names(roleBindings), "viewer "+before)
}

// shared: a binding of several users, made by hand, loses those who get another role, and comes back whole.
func shared(t *testing.T, b *bench) {
	const body = `[{"username":"otto","roleRef":"operator"},{"username":"carol","roleRef":"operator"},{"username":"bob","roleRef":"operator"}]`
	b.world.add(roleBindings, `{"metadata":{"name":"by-hand","namespace":"demo-shop"},"roleRef":{"kind":"Role","name":"viewer"},
		"subjects":[{"kind":"User","name":"otto"},{"kind":"User","name":"carol"}]}`)
	before := b.world.names(roleBindings)
	b.world.failing["delete rolebindings"] = 1 // bob's, which is the last one
	b.ask(t, "admin", "POST /namespaces/demo-shop/members", body, 503)
	equal(t, "bindings", b.world.names(roleBindings), before)
	equal(t, "users of the shared one", len(b.world.object(roleBindings, "demo-shop", "by-hand").objects("subjects")), 2)
	b.ask(t, "admin", "POST /namespaces/demo-shop/members", body, 200)
	equal(t, "bindings", b.world.names(roleBindings), "demo-shop/bob-operator demo-shop/carol-operator demo-shop/otto-operator")
}

// escalations: nobody gives what they do not have.
func escalations(t *testing.T, b *bench) {
	// Bob has what a viewer has in the workspace, and may give that.
	b.ask(t, "bob", "POST /namespaces/demo-shop/members", `[{"username":"otto","roleRef":"viewer"}]`, 200)
	// What changes nothing of a role's rules gives nothing away.
	b.ask(t, "bob", "PATCH /workspaces/demo/workspaceroles/demo-admin", `{"metadata":{"annotations":{"kubesphere.io/alias-name":"Boss"}}}`, 200)
	for _, c := range inOrder(map[string]string{
		"POST /workspaces/demo/workspacemembers":            `[{"username":"bob","roleRef":"demo-admin"}]`,
		"PUT /workspaces/demo/workspacemembers/bob":         `{"username":"bob","roleRef":"demo-admin"}`,
		"POST /namespaces/demo-shop/members":                `[{"username":"carol","roleRef":"viewer"},{"username":"bob","roleRef":"operator"}]`,
		"POST /clustermembers":                              `[{"username":"bob","roleRef":"admin"}]`,
		"POST /namespaces/demo-shop/rolebindings":           `[{"roleRef":{"kind":"ClusterRole","name":"admin"},"subjects":[{"kind":"User","name":"bob"}]}]`,
		"POST /workspaces/demo/workspacerolebindings":       `[{"roleRef":{"kind":"WorkspaceRole","name":"demo-admin"},"subjects":[{"kind":"Group","name":"demo-devs"}]}]`,
		"POST /globalroles":                                 `{"metadata":{"name":"mine"},"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}`,
		"POST /clusterroles":                                `{"metadata":{"name":"mine"},"aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"a":"b"}}]}}`,
		"PATCH /workspaces/demo/workspaceroles/demo-viewer": `{"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}`,
		"PUT /namespaces/demo-shop/roles/viewer":            `{"metadata":{"name":"viewer"},"rules":[{"verbs":["delete"],"apiGroups":[""],"resources":["pods"]}]}`,
		"PATCH /globalroles/nobody":                         `{"metadata":{"annotations":{"iam.kubesphere.io/rego-override":"package authz\nallow = true"}}}`,
		"PATCH /workspaces/demo/workspaceroles/demo-admin":  `{"metadata":{"annotations":{"iam.kubesphere.io/aggregation-roles":"[\"demo-viewer\",\"shared\"]"}}}`,
	}) {
		line, body := c.key, c.value
		b.world.asked = nil
		if line == "PATCH /workspaces/demo/workspaceroles/demo-admin" {
			b.world.add(workspaceRoles, `{"metadata":{"name":"shared"},"rules":[{"verbs":["*"],"apiGroups":[""],"resources":["secrets"]}]}`)
		}
		b.ask(t, "bob", line, body, 403)
		equal(t, line+" wrote", len(b.world.asked), 0)
		b.ask(t, "admin", line, body, 200)
	}
	// What Kubernetes has collected by label is given as it is; only who writes such a role decides what it becomes.
	b.world.add(clusterRoles, `{"metadata":{"name":"collected"},"aggregationRule":{},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`)
	b.ask(t, "bob", "POST /namespaces/demo-shop/rolebindings", `[{"roleRef":{"kind":"ClusterRole","name":"collected"},"subjects":[{"kind":"User","name":"otto"}]}]`, 200)
	// A group that has a role is not open to whoever may add members.
	b.ask(t, "bob", "POST /workspaces/demo/groupbindings", `[{"userName":"bob","groupName":"demo-devs"}]`, 403)
}
