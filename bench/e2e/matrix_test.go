package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// matrixPlatform has three namespaces (of a workspace, of another, of none) and a user for each way to have rights.
const matrixPlatform = `
{apiVersion: v1, kind: Namespace, metadata: {name: mx-in, labels: {kubesphere.io/workspace: mx}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: mx-far, labels: {kubesphere.io/workspace: mx-other}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: mx-none}}
---
apiVersion: iam.kubesphere.io/v1alpha2
kind: GlobalRole
metadata: {name: mx-root}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}, {nonResourceURLs: ["*"], verbs: ["*"]}]
---
apiVersion: iam.kubesphere.io/v1alpha2
kind: GlobalRole
metadata: {name: mx-reader}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: [get, list, watch]}]
---
apiVersion: iam.kubesphere.io/v1alpha2
kind: GlobalRole
metadata: {name: mx-whole, annotations: {iam.kubesphere.io/aggregation-roles: '["mx-part"]'}}
rules: []
---
apiVersion: iam.kubesphere.io/v1alpha2
kind: GlobalRole
metadata: {name: mx-part}
rules: [{apiGroups: [matrix.example.io], resources: [things], verbs: [list]}]
---
apiVersion: iam.kubesphere.io/v1alpha2
kind: WorkspaceRole
metadata: {name: mx-admin, labels: {kubesphere.io/workspace: mx}}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: mx-viewer, namespace: mx-in}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: mx-named, namespace: mx-in}
rules: [{apiGroups: [""], resources: [configmaps], resourceNames: [x], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mx-edit}
rules: [{apiGroups: [""], resources: [configmaps], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mx-ops}
rules: [{apiGroups: [""], resources: [nodes], verbs: [get, list]}, {nonResourceURLs: [/matrix], verbs: [get]}]
---
apiVersion: iam.kubesphere.io/v1alpha2
kind: GlobalRoleBinding
metadata: {name: mx-scripted}
roleRef: {apiGroup: iam.kubesphere.io, kind: GlobalRole, name: mx-scripted}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mx-scripted}]
---
apiVersion: iam.kubesphere.io/v1alpha2
kind: GlobalRole
metadata:
  name: mx-scripted
  annotations: {iam.kubesphere.io/rego-override: "package authz\ndefault allow = true"}
rules: []
`

// matrixUsers are the users; a binding of each gives the role of that name, if there is one.
var matrixUsers = []struct{ name, binding, namespace, workspace, role string }{
	{"mx-root", "GlobalRoleBinding", "", "", "GlobalRole"},
	{"mx-reader", "GlobalRoleBinding", "", "", "GlobalRole"},
	{"mx-whole", "GlobalRoleBinding", "", "", "GlobalRole"},
	{"mx-admin", "WorkspaceRoleBinding", "", "mx", "WorkspaceRole"},
	{"mx-viewer", "RoleBinding", "mx-in", "", "Role"},
	{"mx-named", "RoleBinding", "mx-in", "", "Role"},
	{"mx-edit", "RoleBinding", "mx-far", "", "ClusterRole"}, // by a group
	{"mx-ops", "ClusterRoleBinding", "", "", "ClusterRole"},
	{"mx-scripted", "", "", "", ""},
	{"mx-nobody", "", "", "", ""},
}

// matrixPeople are users and bindings as manifests. Nobody knows the password; they come with tokens.
func matrixPeople() string {
	var b strings.Builder
	for _, u := range matrixUsers {
		fmt.Fprintf(&b, "---\n{apiVersion: iam.kubesphere.io/v1alpha2, kind: User, metadata: {name: %s}, spec: {email: %s@example.com, groups: [%s-group], "+
			"password: $2a$10$89Dk89JNvOFFsBLn3lelz.f7VXSU8teQzvctvNphSQODXXuZ2KCsG}}\n", u.name, u.name, u.name)
		if u.binding == "" {
			continue
		}
		group, subject, metadata := "rbac.authorization.k8s.io", "kind: User, name: "+u.name, "name: "+u.name
		api := group
		switch {
		case u.role == "GlobalRole" || u.role == "WorkspaceRole":
			api = "iam.kubesphere.io"
		case u.name == "mx-edit":
			subject = "kind: Group, name: mx-edit-group"
		}
		version := map[string]string{group: "v1", "iam.kubesphere.io": "v1alpha2"}[api]
		if u.namespace != "" {
			metadata += ", namespace: " + u.namespace
		}
		if u.workspace != "" {
			metadata += ", labels: {kubesphere.io/workspace: " + u.workspace + "}"
		}
		fmt.Fprintf(&b, "---\n{apiVersion: %s/%s, kind: %s, metadata: {%s}, roleRef: {apiGroup: %s, kind: %s, name: %s}, subjects: [{apiGroup: %s, %s}]}\n",
			api, version, u.binding, metadata, api, u.role, u.name, group, subject)
	}
	return b.String()
}

// matrixPlaces are collections at each level. Of configmaps and nodes there is an API; things are nobody's, so that whoever may
// ask for them gets 404.
var matrixPlaces = []struct{ name, path string }{
	{"platform", "/kapis/cluster.kubesphere.io/v1alpha1/clusters"},
	{"cluster", "/api/v1/nodes"},
	{"workspace", "/kapis/matrix.example.io/v1/workspaces/mx/things"},
	{"other workspace", "/kapis/matrix.example.io/v1/workspaces/mx-other/things"},
	{"namespace", "/api/v1/namespaces/mx-in/configmaps"},
	{"other's namespace", "/api/v1/namespaces/mx-far/configmaps"},
	{"namespace without workspace", "/api/v1/namespaces/mx-none/configmaps"},
	{"namespace that is missing", "/api/v1/namespaces/mx-missing/configmaps"},
	{"namespace with a claimed workspace", "/kapis/matrix.example.io/v1/workspaces/mx/namespaces/mx-none/things"},
	{"subresource", "/kapis/matrix.example.io/v1/namespaces/mx-in/things/x/status"},
	{"devops project", "/kapis/matrix.example.io/v1/devops/mx-in/things"},
	{"path", "/matrix"},
}

const reads, anything = "get list watch", "get list watch create update patch delete deletecollection"

// matrixWant is what each user may do where; nothing where nothing is said.
var matrixWant = map[string]map[string]string{
	"mx-root": {
		"platform": anything, "cluster": anything, "workspace": anything, "other workspace": anything, "namespace": anything,
		"other's namespace": anything, "namespace without workspace": anything, "namespace that is missing": anything,
		"namespace with a claimed workspace": anything, "subresource": anything, "devops project": anything, "path": anything,
	},
	"mx-reader": {
		"platform": reads, "cluster": reads, "workspace": reads, "other workspace": reads, "namespace": reads, "other's namespace": reads,
		"namespace without workspace": reads, "namespace that is missing": reads, "namespace with a claimed workspace": reads,
		"subresource": reads, "devops project": reads,
	},
	"mx-whole":  {"workspace": "list", "other workspace": "list", "namespace with a claimed workspace": "list", "devops project": "list"},
	"mx-admin":  {"workspace": anything, "namespace": anything, "subresource": anything, "devops project": anything},
	"mx-viewer": {"namespace": reads},
	"mx-named":  {"namespace": "get update patch delete"},
	"mx-edit":   {"other's namespace": anything},
	"mx-ops":    {"cluster": "get list", "path": "get list watch"},
}

// matrixVerbs are how each verb is asked. Nothing is changed: writes are dry runs.
var matrixVerbs = []struct{ verb, method, suffix string }{
	{"get", http.MethodGet, "/x"},
	{"list", http.MethodGet, "?limit=1"},
	{"watch", http.MethodGet, "?watch=1&timeoutSeconds=1"},
	{"create", http.MethodPost, "?dryRun=All"},
	{"update", http.MethodPut, "/x?dryRun=All"},
	{"patch", http.MethodPatch, "/x?dryRun=All"},
	{"delete", http.MethodDelete, "/x?dryRun=All"},
	{"deletecollection", http.MethodDelete, "?dryRun=All"},
}

// matrixURL is where a verb is asked for in a place. A path and a subresource are asked for themselves, whatever the verb.
func matrixURL(place, path, suffix string) string {
	if place == "path" || place == "subresource" {
		suffix = strings.TrimPrefix(suffix, "/x")
	}
	return stack.URLs["gateway"] + path + suffix
}

// TestWhoMayDoWhatWhere asks as every user for every verb in every place.
func TestWhoMayDoWhatWhere(t *testing.T) {
	configure(t, matrixPlatform+matrixPeople())
	c := client(t)
	tokens := map[string]string{}
	for _, u := range matrixUsers {
		tokens[u.name] = "Bearer " + strings.TrimSpace(postern(t, "token", u.name, "--config", stack.Config))
	}
	awaitMatrix(t, c, tokens)
	var all sync.WaitGroup
	turns := make(chan struct{}, 4)
	for _, u := range matrixUsers {
		for _, p := range matrixPlaces {
			for _, v := range matrixVerbs {
				turns <- struct{}{}
				all.Go(func() {
					defer func() { <-turns }()
					want := slices.Contains(strings.Fields(matrixWant[u.name][p.name]), v.verb)
					code, err := statusOf(t, c, v.method, matrixURL(p.name, p.path, v.suffix), tokens[u.name])
					if got := code != http.StatusForbidden; err != nil || code == http.StatusUnauthorized || code >= 500 || got != want {
						t.Errorf("%s may %s in %s: %v, want %v (status %d, %v)", u.name, v.verb, p.name, got, want, code, err)
					}
				})
			}
		}
	}
	all.Wait()
	// A watch of everything with the label of no workspace is a request of scope Workspace, and of nobody's.
	for _, selector := range []string{"kubesphere.io%2Fworkspace%3D", "kubesphere.io%2Fworkspace%3Dmx-other"} {
		code, err := statusOf(t, c, http.MethodGet, stack.URLs["gateway"]+"/api/v1/configmaps?watch=1&timeoutSeconds=1&labelSelector="+selector, tokens["mx-admin"])
		if code != http.StatusForbidden {
			t.Errorf("watch with %s: status %d, %v", selector, code, err)
		}
	}
	explainMatrix(t)
}

// awaitMatrix waits until the gateway knows everybody, and what they have.
func awaitMatrix(t *testing.T, c *http.Client, tokens map[string]string) {
	t.Helper()
	knows := func(user string) bool {
		for _, p := range matrixPlaces {
			for _, v := range matrixVerbs {
				if v.verb == "watch" || !slices.Contains(strings.Fields(matrixWant[user][p.name]), v.verb) {
					continue
				}
				code, err := statusOf(t, c, v.method, matrixURL(p.name, p.path, v.suffix), tokens[user])
				return err == nil && code != http.StatusForbidden && code != http.StatusUnauthorized
			}
		}
		code, err := statusOf(t, c, http.MethodGet, stack.URLs["gateway"]+"/api/v1/nodes", tokens[user])
		return err == nil && code == http.StatusForbidden
	}
	for _, u := range matrixUsers {
		for end := time.Now().Add(30 * time.Second); !knows(u.name); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the gateway does not know %s", u.name)
			}
		}
	}
}

// statusOf asks with a token and does not wait for the body, which may be a watch's.
func statusOf(t *testing.T, c *http.Client, method, url, token string) (int, error) {
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader("{}"))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Authorization", token)
	r.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	resp, err := c.Do(r)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

// explainMatrix has the command line say why: what was looked at, and what is not evaluated.
func explainMatrix(t *testing.T) {
	for user, want := range map[string][]string{
		"mx-viewer":   {`RoleBinding "mx-in/mx-viewer" of Role "mx-viewer"`, `lacks verb "delete"`, `workspace "mx": no binding`},
		"mx-scripted": {"whose Rego policy is not evaluated and allows nothing"},
		"mx-edit":     {"allowedInNamespaces: [mx-far]"},
	} {
		out := postern(t, "explain", "delete", "/api/v1/namespaces/mx-in/configmaps/y", "--as", user, "--config", stack.Config)
		for _, text := range want {
			if !strings.Contains(out, text) {
				t.Errorf("explanation for %s has no %q:\n%s", user, text, out)
			}
		}
	}
}
