package main

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/posternhq/postern/gateway/module/manifest"
)

// facts are the 77 routes of the group below /kapis/iam.kubesphere.io/v1alpha2, as ks-apiserver 3.4 has them; a * behind the
// method marks those that it calls deprecated.
const facts = `
POST /users
DELETE /users/{user}
PUT /users/{user}
PUT /users/{user}/password
GET /users/{user}
GET /users
GET /users/{user}/loginrecords
POST /clustermembers
DELETE /clustermembers/{clustermember}
PUT /clustermembers/{clustermember}
GET /clustermembers/{clustermember}
GET /clustermembers
GET /workspaces/{workspace}/workspacemembers
GET /workspaces/{workspace}/workspacemembers/{workspacemember}
POST /workspaces/{workspace}/workspacemembers
PUT /workspaces/{workspace}/workspacemembers/{workspacemember}
DELETE /workspaces/{workspace}/workspacemembers/{workspacemember}
GET /namespaces/{namespace}/members
GET /namespaces/{namespace}/members/{member}
POST /namespaces/{namespace}/members
PUT /namespaces/{namespace}/members/{member}
DELETE /namespaces/{namespace}/members/{member}
GET /devops/{devops}/members
GET /devops/{devops}/members/{member}
POST /devops/{devops}/members
PUT /devops/{devops}/members/{member}
DELETE /devops/{devops}/members/{member}
POST* /globalroles
DELETE* /globalroles/{globalrole}
PUT* /globalroles/{globalrole}
PATCH* /globalroles/{globalrole}
GET* /globalroles
GET* /globalroles/{globalrole}
POST* /clusterroles
DELETE* /clusterroles/{clusterrole}
PUT* /clusterroles/{clusterrole}
PATCH* /clusterroles/{clusterrole}
GET* /clusterroles
GET* /clusterroles/{clusterrole}
POST* /workspaces/{workspace}/workspaceroles
DELETE* /workspaces/{workspace}/workspaceroles/{workspacerole}
PATCH* /workspaces/{workspace}/workspaceroles/{workspacerole}
PUT* /workspaces/{workspace}/workspaceroles/{workspacerole}
GET* /workspaces/{workspace}/workspaceroles
GET* /workspaces/{workspace}/workspaceroles/{workspacerole}
POST* /namespaces/{namespace}/roles
DELETE* /namespaces/{namespace}/roles/{role}
PUT* /namespaces/{namespace}/roles/{role}
PATCH* /namespaces/{namespace}/roles/{role}
GET* /namespaces/{namespace}/roles
GET* /namespaces/{namespace}/roles/{role}
POST* /devops/{devops}/roles
DELETE* /devops/{devops}/roles/{role}
PUT* /devops/{devops}/roles/{role}
PATCH* /devops/{devops}/roles/{role}
GET* /devops/{devops}/roles
GET* /devops/{devops}/roles/{role}
GET /users/{user}/globalroles
GET /clustermembers/{clustermember}/clusterroles
GET /workspaces/{workspace}/workspacemembers/{workspacemember}/workspaceroles
GET /namespaces/{namespace}/members/{member}/roles
GET /devops/{devops}/members/{member}/roles
GET /workspaces/{workspace}/groups
GET /workspaces/{workspace}/groups/{group}
DELETE /workspaces/{workspace}/groups/{group}
POST /workspaces/{workspace}/groups
PUT /workspaces/{workspace}/groups/{group}
PATCH /workspaces/{workspace}/groups/{group}
GET /workspaces/{workspace}/groupbindings
GET /workspaces/{workspace}/rolebindings
GET /workspaces/{workspace}/workspacerolebindings
DELETE /workspaces/{workspace}/groupbindings/{groupbinding}
POST /workspaces/{workspace}/groupbindings
POST* /namespaces/{namespace}/rolebindings
DELETE* /namespaces/{namespace}/rolebindings/{rolebinding}
POST* /workspaces/{workspace}/workspacerolebindings
DELETE* /workspaces/{workspace}/workspacerolebindings/{rolebinding}
`

// TestAllRoutes: every route of the group is there, in the program and in the manifest, and no other.
func TestAllRoutes(t *testing.T) {
	want := strings.Split(strings.TrimSpace(facts), "\n")
	if len(want) != 77 {
		t.Fatalf("the table has %d routes", len(want))
	}
	var got []string
	for _, r := range routes {
		mark := ""
		if r.old {
			mark = "*"
		}
		got = append(got, r.method+mark+" "+r.path)
	}
	compare(t, "the program", got, want)
	text, err := os.ReadFile("module.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var listed, plain []string
	for _, r := range m.Serves[0].Routes {
		listed = append(listed, r.Method+" "+strings.TrimPrefix(r.Pattern, "/v1alpha2"))
	}
	for _, r := range want {
		plain = append(plain, strings.Replace(r, "*", "", 1))
	}
	compare(t, "the manifest", listed, plain)
}

func compare(t *testing.T, who string, got, want []string) {
	t.Helper()
	for _, r := range want {
		if !slices.Contains(got, r) {
			t.Errorf("%s lacks %s", who, r)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s has %d routes, want %d", who, len(got), len(want))
	}
}
