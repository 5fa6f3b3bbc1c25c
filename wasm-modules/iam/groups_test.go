package main

import (
	"strings"
	"testing"
)

// groupsAre: a tree of groups in a workspace.
func groupsAre(t *testing.T, b *bench) {
	const path = "/workspaces/demo/groups"
	top := b.object(t, "admin", "POST "+path, `{"metadata":{"generateName":"top"}}`)
	equal(t, "workspace", top.label(workspaceLabel), "demo")
	b.ask(t, "admin", "POST "+path, `{"metadata":{"generateName":"top"}}`, 409)
	b.ask(t, "admin", "POST "+path, `{"metadata":{}}`, 400)
	owner := func(o object) string {
		return `"ownerReferences":[{"apiVersion":"iam.kubesphere.io/v1alpha2","kind":"Group","name":"` + o.name() + `","uid":"` + o.text("metadata", "uid") + `"}]`
	}
	below := b.object(t, "admin", "POST "+path, `{"metadata":{"name":"below",`+owner(top)+`}}`)
	names, _ := b.list(t, "admin", "GET "+path+"?ownerReference="+top.text("metadata", "uid"))
	equal(t, "below the top", names, "below")
	b.object(t, "admin", "GET "+path+"/below", "")
	// A tree has no circles, and does not reach into other workspaces.
	b.ask(t, "admin", "PATCH "+path+"/"+top.name(), `{"metadata":{`+owner(below)+`}}`, 400)
	b.ask(t, "admin", "PATCH "+path+"/below", `{"metadata":{`+owner(below)+`}}`, 400)
	b.ask(t, "admin", "PATCH "+path+"/below", `{"metadata":{`+owner(b.world.object(groups, "", "other-devs"))+`}}`, 400)
	patched := b.object(t, "admin", "PATCH "+path+"/below/", `{"metadata":{"annotations":{"kubesphere.io/alias-name":"Below"}}}`)
	equal(t, "alias", patched.annotation("kubesphere.io/alias-name"), "Below")
	b.ask(t, "admin", "PUT "+path+"/below", `{"metadata":{"name":"other"}}`, 400)
	b.object(t, "admin", "PUT "+path+"/below/", `{"metadata":{"name":"below",`+owner(top)+`}}`)

	b.ask(t, "admin", "POST /workspaces/demo/groupbindings", `[{"userName":"carol","groupName":"below"}]`, 200)
	b.ask(t, "admin", "POST /workspaces/demo/workspacerolebindings", `[{"roleRef":{"kind":"WorkspaceRole","name":"demo-viewer"},"subjects":[{"kind":"Group","name":"below"}]}]`, 200)
	equal(t, "role by group", b.array(t, "admin", "GET /workspaces/demo/workspacemembers/carol/workspaceroles", ""), "demo-viewer")
	b.ask(t, "admin", "DELETE "+path+"/"+top.name(), "", 200)
	equal(t, "groups", b.world.names(groups), "demo-devs other-devs")
	equal(t, "group bindings", b.world.names(groupBindings), "")
	equal(t, "role bindings", b.world.names(workspaceRoleBindings), "alice-demo-admin")
	equal(t, "groups of carol", len(b.world.object(users, "", "carol").texts("spec", "groups")), 0)
}

// groupMembers: who is in a group has it among spec.groups, by which the gateway decides.
func groupMembers(t *testing.T, b *bench) {
	const path = "/workspaces/demo/groupbindings"
	name := b.array(t, "admin", "POST "+path, `[{"userName":"carol","groupName":"demo-devs"}]`)
	equal(t, "groups of carol", strings.Join(b.world.object(users, "", "carol").texts("spec", "groups"), " "), "demo-devs")
	equal(t, "again", b.array(t, "admin", "POST "+path, `[{"userName":"carol","groupName":"demo-devs"}]`), name)
	names, _ := b.list(t, "admin", "GET "+path)
	equal(t, "bindings", names, name)
	names, _ = b.list(t, "admin", "GET /users?ingroup=demo-devs")
	equal(t, "users of the group", names, "carol")
	b.ask(t, "admin", "POST "+path, `[{"userName":"otto","groupName":"demo-devs"},{"userName":"ghost","groupName":"demo-devs"}]`, 404)
	b.ask(t, "admin", "POST "+path, `[{"userName":"otto"}]`, 400)
	b.world.failing["create groupbindings"] = 1
	b.ask(t, "admin", "POST "+path, `[{"userName":"otto","groupName":"demo-devs"},{"userName":"bob","groupName":"demo-devs"}]`, 503)
	equal(t, "groups of otto", len(b.world.object(users, "", "otto").texts("spec", "groups")), 0)
	equal(t, "bindings", b.world.names(groupBindings), name)
	b.world.add(groups, `{"metadata":{"name":"demo-ops","labels":{"kubesphere.io/workspace":"demo"}}}`)
	b.world.failing["create groupbindings"] = 2
	b.ask(t, "admin", "POST "+path, `[{"userName":"otto","groupName":"demo-devs"},{"userName":"otto","groupName":"demo-ops"},{"userName":"bob","groupName":"demo-ops"}]`, 503)
	equal(t, "groups of otto after two changes", len(b.world.object(users, "", "otto").texts("spec", "groups")), 0)
	b.ask(t, "admin", "DELETE /workspaces/other/groupbindings/"+name, "", 404)
	equal(t, "deleted", b.ask(t, "admin", "DELETE "+path+"/"+name, "", 200), `{"message":"success"}`)
	equal(t, "groups of carol", len(b.world.object(users, "", "carol").texts("spec", "groups")), 0)
}

// bindingsAre: bindings as they are, by list, all or none.
func bindingsAre(t *testing.T, b *bench) {
	subject := func(kind, name string) string { return `"subjects":[{"kind":"` + kind + `","name":"` + name + `"}]` }
	role := func(kind, name string) string { return `"roleRef":{"kind":"` + kind + `","name":"` + name + `"}` }
	made := b.array(t, "admin", "POST /namespaces/demo-shop/rolebindings", `[{`+role("Role", "viewer")+`,`+subject("Group", "demo-devs")+`},
		{"metadata":{"name":"mine","labels":{"iam.kubesphere.io/user-ref":"admin"}},`+role("ClusterRole", "view")+`,`+subject("User", "carol")+`}]`)
	says(t, made, "demo-devs-viewer-")
	equal(t, "label", b.world.object(roleBindings, "demo-shop", "mine").label(userLabel), "carol")
	names, _ := b.list(t, "admin", "GET /workspaces/demo/rolebindings?sortBy=name&ascending=true")
	equal(t, "of the workspace", names, "bob-viewer "+made)
	if names, _ := b.list(t, "admin", "GET /workspaces/other/rolebindings"); names != "" {
		t.Errorf("another workspace has %q", names)
	}
	equal(t, "roles", b.array(t, "admin", "GET /namespaces/demo-shop/members/carol/roles", ""), "view")
	b.ask(t, "admin", "DELETE /namespaces/demo-shop/rolebindings/mine", "", 200)
	b.ask(t, "admin", "DELETE /namespaces/demo-shop/rolebindings/mine", "", 404)

	workspaceMade := b.array(t, "admin", "POST /workspaces/demo/workspacerolebindings", `[{`+role("WorkspaceRole", "demo-viewer")+`,`+subject("Group", "demo-devs")+`}]`)
	names, _ = b.list(t, "admin", "GET /workspaces/demo/workspacerolebindings?label=iam.kubesphere.io/group-ref%3Ddemo-devs")
	equal(t, "of the group", names, workspaceMade)
	b.ask(t, "admin", "DELETE /workspaces/demo/workspacerolebindings/"+workspaceMade, "", 200)

	b.world.asked = nil
	for _, c := range inOrder(map[string]int{
		`[]`:                                 400,
		`[{` + role("Role", "viewer") + `}]`: 400,
		`[{` + role("Role", "ghost") + `,` + subject("User", "carol") + `}]`:                 404,
		`[{` + role("Odd", "viewer") + `,` + subject("User", "carol") + `}]`:                 400,
		`[{` + role("Role", "viewer") + `,` + subject("User", "ghost") + `}]`:                404,
		`[{` + role("Role", "viewer") + `,` + subject("Robot", "carol") + `}]`:               400,
		`[{` + role("Role", "viewer") + `,` + subject("ServiceAccount", "default") + `}]`:    400,
		`[{` + role("Role", "viewer") + `,` + subject("Group", "") + `}]`:                    400,
		`[{` + role("Role", "viewer") + `,` + subject("User", "carol") + `},{"metadata":1}]`: 400,
	}) {
		body, code := c.key, c.value
		b.ask(t, "admin", "POST /namespaces/demo-shop/rolebindings", body, code)
	}
	equal(t, "written", strings.Join(b.world.asked, ","), "")
	b.world.failing["create rolebindings"] = 1
	before := b.world.names(roleBindings)
	one := `{` + role("Role", "viewer") + `,` + subject("User", "carol") + `}`
	b.ask(t, "admin", "POST /namespaces/demo-shop/rolebindings", `[`+one+`,`+one+`]`, 503)
	equal(t, "all is as it was", b.world.names(roleBindings), before)
}
