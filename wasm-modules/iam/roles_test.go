package main

import (
	"strings"
	"testing"
)

// rolesAre: the six routes of roles, at each level.
func rolesAre(t *testing.T, b *bench) {
	const rules = `"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]`
	for _, path := range []string{"/globalroles", "/clusterroles", "/workspaces/demo/workspaceroles", "/namespaces/demo-shop/roles"} {
		_, before := b.list(t, "admin", "GET "+path)
		made := b.object(t, "admin", "POST "+path, `{"metadata":{"name":"fresh","resourceVersion":"7","uid":"x"},`+rules+`}`)
		equal(t, "rules", len(made.objects("rules")), 1)
		says(t, b.log[len(b.log)-1], "Warning: 299")
		b.ask(t, "admin", "POST "+path, `{"metadata":{"name":"fresh"}}`, 409)
		b.ask(t, "admin", "POST "+path, `{"metadata":{}}`, 400)
		equal(t, "name", b.object(t, "admin", "GET "+path+"/fresh", "").name(), "fresh")
		b.ask(t, "admin", "GET "+path+"/not-there", "", 404)
		if _, all := b.list(t, "admin", "GET "+path+"?sortBy=name"); all != before+1 {
			t.Errorf("%s has %d roles, had %d", path, all, before)
		}
		put := b.object(t, "admin", "PUT "+path+"/fresh", `{"metadata":{"name":"fresh"},"rules":[]}`)
		equal(t, "rules", len(put.objects("rules")), 0)
		b.ask(t, "admin", "PUT "+path+"/fresh", `{"metadata":{"name":"other"}}`, 400)
		b.ask(t, "admin", "PUT "+path+"/fresh", `{"metadata":{"name":"fresh","resourceVersion":"1"}}`, 409)
		patched := b.object(t, "admin", "PATCH "+path+"/fresh", `{"metadata":{"annotations":{"a":"b"},"labels":{"gone":null}},`+rules+`}`)
		equal(t, "patched", patched.annotation("a")+" "+patched.objects("rules")[0].texts("verbs")[0], "b get")
		b.ask(t, "admin", "PATCH "+path+"/fresh", `{"metadata":{"name":"other"}}`, 400)
		b.ask(t, "admin", "PATCH "+path+"/not-there", `{}`, 404)
		equal(t, "deleted", b.ask(t, "admin", "DELETE "+path+"/fresh", "", 200), `{"message":"success"}`)
		b.ask(t, "admin", "DELETE "+path+"/fresh", "", 404)
	}
}

// aggregations: a role's rules are those of the roles that its annotation names.
func aggregations(t *testing.T, b *bench) {
	const label = `"labels":{"iam.kubesphere.io/role-template":"true"}`
	b.world.add(workspaceRoles, `{"metadata":{"name":"view-pods",`+label+`},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`)
	b.world.add(workspaceRoles, `{"metadata":{"name":"theirs","labels":{"iam.kubesphere.io/role-template":"true","kubesphere.io/workspace":"other"}},
		"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["secrets"]}]}`)
	const path = "/workspaces/demo/workspaceroles"
	role := b.object(t, "alice", "POST "+path, `{"metadata":{"name":"mixed","annotations":{
		"iam.kubesphere.io/aggregation-roles":"[\"view-pods\",\"demo-viewer\",\"theirs\",\"ghost\"]"}},"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]}`)
	equal(t, "rules", len(role.objects("rules")), 2)
	equal(t, "resource", role.objects("rules")[0].texts("resources")[0], "pods")
	says(t, b.log[len(b.log)-1], "ghost, theirs")
	// The gateway goes by the annotation: what is not for this role must not be in it.
	equal(t, "annotation", b.world.object(workspaceRoles, "", "mixed").annotation(aggregationNote), `["view-pods","demo-viewer"]`)
	b.ask(t, "alice", "PATCH "+path+"/mixed", `{"metadata":{"annotations":{"iam.kubesphere.io/aggregation-roles":"nonsense"}}}`, 400)

	names, _ := b.list(t, "alice", "GET "+path+"?labelSelector=iam.kubesphere.io/role-template%3Dtrue")
	equal(t, "templates", names, "view-pods")
	names, _ = b.list(t, "alice", "GET "+path+"?aggregateTo=mixed&sortBy=name&ascending=true")
	equal(t, "aggregated", names, "demo-viewer view-pods")
	names, _ = b.list(t, "alice", "GET "+path+"?aggregateTo=ghost")
	equal(t, "aggregated by nobody", names, "")
	b.ask(t, "alice", "POST /workspaces/demo/workspacemembers", `[{"username":"carol","roleRef":"mixed"}]`, 200)
	equal(t, "roles", b.array(t, "alice", "GET /workspaces/demo/workspacemembers/carol/workspaceroles", ""), "mixed view-pods demo-viewer")
}

// lookalikes: a rule's fields are told apart by case, as Kubernetes does.
func lookalikes(t *testing.T, b *bench) {
	for _, rule := range []string{
		`{"verbs":["get"],"apiGroups":["*"],"apigroups":[""],"resources":["pods"]}`,
		`{"verbs":["get"],"resources":"pods"}`, `{"verbs":[1]}`, `"get"`, `{"verbs":["get"],"more":[]}`,
	} {
		b.ask(t, "bob", "POST /namespaces/demo-shop/roles", `{"metadata":{"name":"x"},"rules":[`+rule+`]}`, 400)
	}
	b.ask(t, "bob", "POST /namespaces/demo-shop/roles", `{"metadata":{"name":"x"},"rules":{}}`, 400)
	b.ask(t, "bob", "POST /namespaces/demo-shop/roles", `{"metadata":{"name":"x"},"rules":[{"verbs":["get"],"apiGroups":[""],"resources":["pods"]}]}`, 200)
}

// apart: what is named in the path of a workspace belongs to it, and stays there.
func apart(t *testing.T, b *bench) {
	for _, line := range []string{
		"GET /workspaces/demo/workspaceroles/other-admin", "DELETE /workspaces/demo/workspaceroles/other-admin",
		"GET /workspaces/demo/groups/other-devs", "DELETE /workspaces/demo/groups/other-devs",
		"DELETE /workspaces/other/workspacerolebindings/alice-demo-admin",
	} {
		b.ask(t, "admin", line, "", 404)
	}
	const move = `"labels":{"kubesphere.io/workspace":"other"}`
	for _, c := range inOrder(map[string]int{
		"PUT /workspaces/demo/workspaceroles/other-admin {}":                                                                                                                     404,
		`PATCH /workspaces/demo/workspaceroles/other-admin {}`:                                                                                                                   404,
		`PATCH /workspaces/demo/workspaceroles/demo-viewer {"metadata":{` + move + `}}`:                                                                                          400,
		`PUT /workspaces/demo/workspaceroles/demo-viewer {"metadata":{"name":"demo-viewer",` + move + `}}`:                                                                       400,
		`POST /workspaces/demo/workspaceroles {"metadata":{"name":"x",` + move + `}}`:                                                                                            400,
		`POST /workspaces/demo/groups {"metadata":{"generateName":"x",` + move + `}}`:                                                                                            400,
		`PATCH /workspaces/demo/groups/demo-devs {"metadata":{` + move + `}}`:                                                                                                    400,
		`POST /workspaces/demo/workspacemembers [{"username":"bob","roleRef":"other-admin"}]`:                                                                                    404,
		`POST /workspaces/demo/groupbindings [{"userName":"bob","groupName":"other-devs"}]`:                                                                                      404,
		`POST /namespaces/demo-shop/roles {"metadata":{"name":"x","namespace":"kube-system"}}`:                                                                                   400,
		`POST /workspaces/demo/workspacerolebindings [{"roleRef":{"name":"other-admin"},"subjects":[{"kind":"User","name":"bob"}]}]`:                                             404,
		`POST /workspaces/demo/workspacerolebindings [{"metadata":{` + move + `},"roleRef":{"name":"demo-viewer"},"subjects":[{"kind":"User","name":"bob"}]}]`:                   400,
		`POST /namespaces/demo-shop/rolebindings [{"metadata":{"namespace":"kube-system"},"roleRef":{"kind":"Role","name":"viewer"},"subjects":[{"kind":"User","name":"bob"}]}]`: 400,
	}) {
		line, code := c.key, c.value
		method, rest, _ := strings.Cut(line, " ")
		path, body, _ := strings.Cut(rest, " ")
		b.ask(t, "admin", method+" "+path, body, code)
	}
	equal(t, "written", strings.Join(b.world.asked, ","), "")
	// A label taken away comes back.
	role := b.object(t, "admin", "PATCH /workspaces/demo/workspaceroles/demo-viewer", `{"metadata":{"labels":null}}`)
	equal(t, "workspace", role.label(workspaceLabel), "demo")
	names, _ := b.list(t, "admin", "GET /workspaces/demo/workspaceroles?sortBy=name&ascending=true")
	equal(t, "roles", names, "demo-admin demo-viewer")
	b.ask(t, "admin", "GET /workspaces/a=b/workspaceroles", "", 404)
}

// devops: a project's roles and members are those of its namespace; without the project they are not there.
func devops(t *testing.T, b *bench) {
	b.ask(t, "admin", "GET /devops/p1/members", "", 404)
	b.world.add(devopsProjects, `{"metadata":{"name":"p1"},"status":{"adminNamespace":"demo-shop"}}`)
	b.world.add(devopsProjects, `{"metadata":{"name":"p2"}}`)
	b.ask(t, "admin", "GET /devops/p2/roles", "", 404)
	names, _ := b.list(t, "admin", "GET /devops/p1/members")
	equal(t, "members", names, "bob")
	equal(t, "roles", b.array(t, "admin", "GET /devops/p1/members/bob/roles", ""), "viewer")
	b.ask(t, "admin", "POST /devops/p1/members", `[{"username":"carol","roleRef":"operator"}]`, 200)
	b.ask(t, "admin", "PUT /devops/p1/members/carol", `{"username":"carol","roleRef":"viewer"}`, 200)
	b.ask(t, "admin", "GET /devops/p1/members/carol", "", 200)
	b.ask(t, "admin", "DELETE /devops/p1/members/carol", "", 200)
	b.ask(t, "admin", "POST /devops/p1/roles", `{"metadata":{"name":"fresh"}}`, 200)
	equal(t, "its namespace", b.world.object(roles, "demo-shop", "fresh").namespace(), "demo-shop")
	b.ask(t, "admin", "PUT /devops/p1/roles/fresh", `{"metadata":{"name":"fresh"}}`, 200)
	b.ask(t, "admin", "PATCH /devops/p1/roles/fresh", `{}`, 200)
	b.ask(t, "admin", "GET /devops/p1/roles/fresh", "", 200)
	b.ask(t, "admin", "DELETE /devops/p1/roles/fresh", "", 200)
	if names, _ := b.list(t, "admin", "GET /devops/p1/roles?sortBy=name"); names != "viewer operator" {
		t.Errorf("roles of the project: %q", names)
	}
}

// badBodies are refused with 400, whatever they are.
func badBodies(t *testing.T, b *bench) {
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	for _, body := range []string{"", "x", "null", "[]", `"text"`, "{} {}", `{"metadata":[]}`, deep} {
		for _, line := range []string{"POST /users", "PUT /users/bob", "POST /globalroles", "PATCH /clusterroles/view", "POST /workspaces/demo/groups"} {
			if line[0:5] == "PATCH" && body == `{"metadata":[]}` {
				continue // takes the name away, which is tested
			}
			b.ask(t, "admin", line, body, 400)
		}
	}
	for _, body := range []string{"[null]", `["x"]`, `[{"metadata":1}]`, `[` + deep + `]`} {
		b.ask(t, "admin", "POST /namespaces/demo-shop/rolebindings", body, 400)
	}
}

func FuzzMerge(f *testing.F) {
	f.Add(`{"a":{"b":1,"c":[1]}}`, `{"a":{"b":null,"c":[2],"d":{"e":null}}}`)
	f.Add(`{"a":[]}`, `{"a":{"b":{}}}`)
	f.Fuzz(func(t *testing.T, old, patch string) {
		var o, p object
		if decode([]byte(old), &o) != nil || decode([]byte(patch), &p) != nil || p == nil {
			return
		}
		before := string(o.encode())
		once := object(merge(o, p))
		if twice := object(merge(once, p)); !same(map[string]any(once), map[string]any(twice)) {
			t.Errorf("%s: once %s, twice %s", patch, once.encode(), twice.encode())
		}
		if after := string(o.encode()); after != before {
			t.Errorf("the old object became %s", after)
		}
	})
}
