package e2e

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

const iam = "/kapis/iam.kubesphere.io/v1alpha2"

// asked is one request to the iam group; want is text in the answer.
type asked struct {
	line string // method and path below the group
	body string
	code int
	want string
}

// projects is the kind of DevOps projects, which the stack does not have.
const projects = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: devopsprojects.devops.kubesphere.io}
spec:
  group: devops.kubesphere.io
  scope: Cluster
  names: {kind: DevOpsProject, plural: devopsprojects, singular: devopsproject, listKind: DevOpsProjectList}
  versions:
  - name: v1alpha3
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
`

// project is one whose roles are in a namespace of the stack.
const project = `apiVersion: devops.kubesphere.io/v1alpha3
kind: DevOpsProject
metadata: {name: iam-project}
status: {adminNamespace: demo-staging}
`

// given puts objects into the cluster until the end of the test. Their kind may be so new that it is not served yet.
func given(t *testing.T, text string) {
	t.Helper()
	until(t, "objects to be made", func() bool {
		_, err := tryKubectl(t, "admin", strings.NewReader(text), "apply", "-f", "-")
		return err == nil
	})
	t.Cleanup(func() {
		if out, err := tryKubectl(t, "admin", strings.NewReader(text), "delete", "--ignore-not-found", "-f", "-"); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// TestIAMRoutes asks each of the 77 routes at least once, on real objects, and expects its code and shape.
func TestIAMRoutes(t *testing.T) {
	given(t, projects)
	given(t, project)
	c := client(t)
	seen := map[string]bool{}
	for _, a := range slices.Concat(iamUsers(), iamMembers(), iamRoles(), iamGroups(), iamBindings(), iamLast()) {
		method, path, _ := strings.Cut(a.line, " ")
		code, body, header := do(t, c, request{
			method: method, path: iam + path, user: "admin", body: a.body, header: http.Header{"Content-Type": {"application/json"}},
		})
		if code != a.code || !strings.Contains(body, a.want) {
			t.Errorf("%s: got %d %.400s, want %d with %q", a.line, code, body, a.code, a.want)
		}
		if strings.Contains(body, "$2a$") {
			t.Errorf("%s shows a password's hash: %s", a.line, body)
		}
		if code >= 400 {
			wantStatus(t, code, body, header)
		} else {
			seen[method+" "+shape(path)] = true
		}
	}
	if len(seen) != 77 {
		t.Errorf("%d routes answered well, want 77: %q", len(seen), slices.Sorted(maps.Keys(seen)))
	}
}

// shape is a path with its names left out: every second segment is one, counted from the collection.
func shape(path string) string {
	path, _, _ = strings.Cut(path, "?")
	segments := strings.Split(strings.Trim(path, "/"), "/")
	for i := 1; i < len(segments); i += 2 {
		segments[i] = "{}"
	}
	return strings.Join(segments, "/")
}

const success = `{"message":"success"}`

func iamUsers() []asked {
	return []asked{
		{"POST /users", `{"metadata":{"name":"iam-ann","annotations":{"iam.kubesphere.io/globalrole":"platform-regular"}},
			"spec":{"email":"iam-ann@example.com","password":"first secret"}}`, 200, `"iam.kubesphere.io/globalrole":"platform-regular"`},
		{"POST /users", `{"metadata":{"name":"iam-ann"}}`, 409, "already exists"},
		{"POST /users", `{"metadata":{"name":"iam-ben"},"spec":{"password":"first secret"}}`, 200, `"name":"iam-ben"`},
		{"POST /users", `{"metadata":{"name":"Not A Name"}}`, 400, "metadata.name"},
		{"GET /users/iam-ann", "", 200, `"state":"Active"`},
		{"GET /users/iam-nobody", "", 404, "not found"},
		{"PUT /users/iam-ann", `{"metadata":{"name":"iam-ann"},"spec":{"email":"iam-ann@example.com","displayName":"Ann"}}`, 200, `"displayName":"Ann"`},
		{"PUT /users/iam-ann", `{"metadata":{"name":"iam-ben"}}`, 400, "the one in the path"},
		{"PUT /users/iam-ann/password", `{"password":"second secret"}`, 200, success},
		{"PUT /users/iam-ann/password", `{"currentPassword":"a guess","password":"third secret"}`, 400, "currentPassword is wrong"},
		{"GET /users?names=iam-ann,iam-ben&sortBy=name&_=1", "", 200, `"totalItems":`},
		{"GET /users/iam-ann/loginrecords", "", 200, `"items":[`},
		{"GET /users/admin/globalroles", "", 200, `"name":"platform-admin"`},
	}
}

// iamMembers are the members of all places: both are added, one gets another role, one leaves.
func iamMembers() []asked {
	var all []asked
	for _, p := range []struct{ path, roles, role, other string }{
		{"/clustermembers", "clusterroles", "view", "edit"},
		{"/workspaces/demo/workspacemembers", "workspaceroles", "demo-viewer", "demo-admin"},
		{"/namespaces/demo-shop/members", "roles", "viewer", "iam-operator"},
		{"/devops/iam-project/members", "roles", "iam-viewer", "iam-operator"},
	} {
		if p.roles == "roles" {
			where := strings.TrimSuffix(p.path, "members")
			for _, role := range []string{"iam-viewer", "iam-operator"} {
				all = append(all, asked{"POST " + where + "roles", `{"metadata":{"name":"` + role + `"}}`, 200, role})
			}
		}
		pair := fmt.Sprintf(`[{"username":"iam-ann","roleRef":%q},{"username":"iam-ben","roleRef":%q}]`, p.role, p.role)
		all = append(all,
			asked{"POST " + p.path, strings.Replace(pair, "iam-ben", "iam-nobody", 1), 404, "iam-nobody"},
			asked{"GET " + p.path + "/iam-ann", "", 404, "not found"},
			asked{"POST " + p.path, pair, 200, pair},
			asked{"GET " + p.path + "/iam-ann", "", 200, `"` + p.role + `"`},
			asked{"GET " + p.path + "/iam-ann/" + p.roles, "", 200, `"name":"` + p.role + `"`},
			asked{"PUT " + p.path + "/iam-ann", fmt.Sprintf(`{"username":"iam-ann","roleRef":%q}`, p.other), 200, p.other},
			asked{"GET " + p.path + "?limit=1", "", 200, `"totalItems":`},
			asked{"DELETE " + p.path + "/iam-ann", "", 200, success},
			asked{"DELETE " + p.path + "/iam-ann", "", 404, "not found"},
		)
	}
	return all
}

func iamRoles() []asked {
	var all []asked
	for _, path := range []string{
		"/globalroles", "/clusterroles", "/workspaces/demo/workspaceroles", "/namespaces/demo-shop/roles", "/devops/iam-project/roles",
	} {
		one := path + "/iam-fresh"
		all = append(all,
			asked{"POST " + path, `{"metadata":{"name":"iam-fresh"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]}`, 200, `"verbs":["get"]`},
			asked{"GET " + path + "?sortBy=name&limit=1", "", 200, `"totalItems":`},
			asked{"GET " + one, "", 200, `"name":"iam-fresh"`},
			asked{"PUT " + one, `{"metadata":{"name":"iam-fresh"},"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["list"]}]}`, 200, `"verbs":["list"]`},
			asked{"PATCH " + one, `{"metadata":{"annotations":{"kubesphere.io/alias-name":"Fresh"}}}`, 200, `"Fresh"`},
			asked{"PATCH " + one, `{"metadata":{"name":"iam-other"}}`, 400, "the one in the path"},
			asked{"DELETE " + one, "", 200, success},
			asked{"GET " + one, "", 404, "not found"},
		)
	}
	return append(all,
		asked{"GET /workspaces/demo/workspaceroles/edge-fleet-admin", "", 404, "not found"},
		asked{"PATCH /workspaces/demo/workspaceroles/demo-viewer", `{"metadata":{"labels":{"kubesphere.io/workspace":"edge-fleet"}}}`, 400, "the path says"},
	)
}

func iamGroups() []asked {
	const path = "/workspaces/demo/groups"
	return []asked{
		{"POST " + path, `{"metadata":{"name":"iam-devs"}}`, 200, `"kubesphere.io/workspace":"demo"`},
		{"GET " + path + "/iam-devs", "", 200, `"name":"iam-devs"`},
		{"PUT " + path + "/iam-devs/", `{"metadata":{"name":"iam-devs"}}`, 200, `"name":"iam-devs"`},
		{"PATCH " + path + "/iam-devs/", `{"metadata":{"annotations":{"kubesphere.io/alias-name":"Developers"}}}`, 200, "Developers"},
		{"GET " + path + "?limit=1", "", 200, `"totalItems":`},
		{"POST /workspaces/demo/groupbindings", `[{"userName":"iam-ben","groupName":"iam-devs"}]`, 200, `"users":["iam-ben"]`},
		{"GET /workspaces/demo/groupbindings", "", 200, `"totalItems":`},
		{"GET /users/iam-ben", "", 200, `"groups":["iam-devs"]`},
	}
}

func iamBindings() []asked {
	binding := func(kind, role string) string {
		return fmt.Sprintf(`[{"metadata":{"name":"iam-devs-binding"},"roleRef":{"kind":%q,"name":%q},"subjects":[{"kind":"Group","name":"iam-devs"}]}]`, kind, role)
	}
	return []asked{
		{"POST /namespaces/demo-shop/rolebindings", binding("Role", "viewer"), 200, `"iam.kubesphere.io/group-ref":"iam-devs"`},
		{"POST /namespaces/demo-shop/rolebindings", binding("Role", "not-there"), 404, "not found"},
		{"GET /workspaces/demo/rolebindings?limit=1", "", 200, `"totalItems":`},
		{"GET /namespaces/demo-shop/members/iam-ben/roles", "", 200, `"name":"viewer"`},
		{"DELETE /namespaces/demo-shop/rolebindings/iam-devs-binding", "", 200, success},
		{"POST /workspaces/demo/workspacerolebindings", binding("WorkspaceRole", "demo-viewer"), 200, `"kubesphere.io/workspace":"demo"`},
		{"POST /workspaces/demo/workspacerolebindings", binding("WorkspaceRole", "edge-fleet-admin"), 404, "not found"},
		{"GET /workspaces/demo/workspacerolebindings?limit=1", "", 200, `"totalItems":`},
		{"DELETE /workspaces/demo/workspacerolebindings/iam-devs-binding", "", 200, success},
	}
}

// iamLast takes away what the others have made.
func iamLast() []asked {
	return []asked{
		{"DELETE /workspaces/demo/groupbindings/iam-devs-iam-ben", "", 200, success},
		{"DELETE /workspaces/demo/groupbindings/iam-devs-iam-ben", "", 404, "not found"},
		{"GET /users?ingroup=iam-devs", "", 200, `"totalItems":`},
		{"DELETE /workspaces/demo/groups/iam-devs", "", 200, success},
		{"DELETE /namespaces/demo-shop/roles/iam-viewer", "", 200, success},
		{"DELETE /namespaces/demo-shop/roles/iam-operator", "", 200, success},
		{"DELETE /devops/iam-project/roles/iam-viewer", "", 200, success},
		{"DELETE /devops/iam-project/roles/iam-operator", "", 200, success},
		{"DELETE /users/iam-ann", "", 200, success},
		{"DELETE /users/iam-ben", "", 200, success},
		{"GET /users/iam-ben", "", 404, "not found"},
	}
}

// iamAs asks as a user of the stack, or as one with a password of the test's own.
func iamAs(t *testing.T, c *http.Client, user, line, body string) (int, string) {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	code, text, _ := do(t, c, request{
		method: method, path: iam + path, user: user, body: body, header: http.Header{"Content-Type": {"application/json"}},
	})
	return code, text
}

// mustIAM asks as the administrator and ends the test unless it is done.
func mustIAM(t *testing.T, c *http.Client, line, body string) {
	t.Helper()
	if code, text := iamAs(t, c, "admin", line, body); code != 200 {
		t.Fatalf("%s: got %d %s", line, code, text)
	}
}

// TestIAMEscalation: bob may invite people to the workspace. He gives what he has, and nothing else.
func TestIAMEscalation(t *testing.T) {
	c := client(t)
	mustIAM(t, c, "POST /workspaces/demo/workspaceroles", `{"metadata":{"name":"iam-inviter"},"rules":[
		{"apiGroups":["iam.kubesphere.io"],"resources":["workspacemembers","workspaceroles","groups","groupbindings","workspacerolebindings"],
		 "verbs":["get","list","create","update","patch","delete"]}]}`)
	mustIAM(t, c, "POST /workspaces/demo/workspacemembers", `[{"username":"bob","roleRef":"iam-inviter"}]`)
	mustIAM(t, c, "POST /users", `{"metadata":{"name":"iam-guest"}}`)
	defer func() {
		mustIAM(t, c, "DELETE /workspaces/demo/workspacemembers/bob", "")
		mustIAM(t, c, "DELETE /users/iam-guest", "")
		mustIAM(t, c, "DELETE /workspaces/demo/workspaceroles/iam-inviter", "")
	}()
	const path = "/workspaces/demo/workspacemembers"
	until(t, "bob's role", func() bool {
		code, _ := iamAs(t, c, "bob", "POST "+path, `[{"username":"iam-guest","roleRef":"iam-inviter"}]`)
		return code == 200
	})
	for line, body := range map[string]string{
		"POST " + path:         `[{"username":"iam-guest","roleRef":"demo-admin"}]`,
		"PUT " + path + "/bob": `{"username":"bob","roleRef":"demo-admin"}`,
		"POST /workspaces/demo/workspacerolebindings":                  `[{"roleRef":{"kind":"WorkspaceRole","name":"demo-viewer"},"subjects":[{"kind":"User","name":"bob"}]}]`,
		"PATCH /workspaces/demo/workspaceroles/iam-inviter":            `{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]}`,
		"POST /workspaces/demo/workspaceroles":                         `{"metadata":{"name":"iam-more"},"rules":[{"apiGroups":[""],"resources":["secrets"],"verbs":["get"]}]}`,
		"POST /workspaces/edge-fleet/workspacemembers":                 `[{"username":"bob","roleRef":"edge-fleet-admin"}]`,
		"POST /clustermembers":                                         `[{"username":"bob","roleRef":"cluster-admin"}]`,
		"PATCH /workspaces/edge-fleet/workspaceroles/edge-fleet-admin": `{}`,
	} {
		if code, text := iamAs(t, c, "bob", line, body); code != 403 {
			t.Errorf("%s as bob: got %d %s, want 403", line, code, text)
		}
	}
	if code, text := iamAs(t, c, "alice", "PUT "+path+"/bob", `{"username":"bob","roleRef":"demo-viewer"}`); code != 200 {
		t.Errorf("alice, who has all in the workspace: got %d %s", code, text)
	}
}

// TestIAMPassword: a user that was just made logs in, with the present password only.
func TestIAMPassword(t *testing.T) {
	c := client(t)
	mustIAM(t, c, "POST /users", `{"metadata":{"name":"iam-login"},"spec":{"email":"iam-login@example.com","password":"first secret"}}`)
	defer mustIAM(t, c, "DELETE /users/iam-login", "")
	ask := func(name, password, method, path, body string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, stack.URLs["gateway"]+iam+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(name, password)
		resp, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	as := func(name, password string) int { return ask(name, password, "GET", "/users", "") }
	until(t, "the login", func() bool { return as("iam-login", "first secret") == 403 })
	mustIAM(t, c, "PUT /users/iam-login/password", `{"password":"second secret"}`)
	until(t, "the login by the new password", func() bool { return as("iam-login@example.com", "second secret") == 403 })
	if code := as("iam-login", "first secret"); code != 401 {
		t.Errorf("the old password: got %d, want 401", code)
	}
	for _, own := range []struct {
		method, path, body string
		code               int
	}{
		{"GET", "/users/iam-login", "", 200},
		{"GET", "/users/iam-login/globalroles", "", 200},
		{"GET", "/users/admin", "", 403},
		{"PUT", "/users/admin/password", `{"password":"x"}`, 403},
		{"PUT", "/users/iam-login/password", `{"password":"x"}`, 400},
		{"PUT", "/users/iam-login/password", `{"currentPassword":"second secret","password":"third secret"}`, 200},
	} {
		if code := ask("iam-login", "second secret", own.method, own.path, own.body); code != own.code {
			t.Errorf("%s %s by the user: got %d, want %d", own.method, own.path, code, own.code)
		}
	}
	until(t, "the login by the user's own choice", func() bool { return as("iam-login", "third secret") == 403 })
	mustIAM(t, c, "PUT /users/iam-login", `{"metadata":{"name":"iam-login"},"status":{"state":"Disabled"}}`)
	until(t, "the end of a disabled user's logins", func() bool { return as("iam-login", "third secret") == 401 })
}
