package requestinfo

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQuery(t *testing.T) {
	for line, want := range map[string]string{
		// watch, as Kubernetes reads it: all but 0 and false, of the first one
		"GET /api/v1/pods?watch=true":              "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=1&x=y":             "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch":                   "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=":                  "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=no":                "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?w%61tch=%31":             "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=%zz&watch=1":       "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=0":                 "list prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=False":             "list prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=f%41lse":           "list prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=false&watch=true":  "list prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=1;x":               "list prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?watch=%zz":               "list prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods?Watch=1&watchs=1&watc=1": "list prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/pods/p?watch=1":               "get prefix:api version:v1 resource:pods name:p Cluster kube",
		"POST /api/v1/pods?watch=1":                "create prefix:api version:v1 resource:pods Cluster kube",
		"GET /kapis/a.io/v1/things?watch=1":        "watch prefix:kapis group:a.io version:v1 resource:things Cluster",
		"GET /healthz?watch=1":                     "get Cluster path",

		// selectors of list, watch and deletecollection
		"GET /api/v1/pods?labelSelector=a%3Db+c":    "list prefix:api version:v1 resource:pods labels:a=b c Cluster kube",
		"DELETE /api/v1/pods?fieldSelector=a%3Db":   "deletecollection prefix:api version:v1 resource:pods fields:a=b Cluster kube",
		"GET /api/v1/pods/p?labelSelector=a":        "get prefix:api version:v1 resource:pods name:p Cluster kube",
		"GET /api/v1/watch/pods?labelSelector=a":    "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /kapis/a.io/v1/things?labelSelector=a": "list prefix:kapis group:a.io version:v1 resource:things labels:a Cluster",

		// the name by field selector
		"GET /api/v1/pods?fieldSelector=metadata.name=x": "list prefix:api version:v1 resource:pods name:x fields:metadata.name=x Cluster kube",
		"GET /api/v1/pods?watch=1&fieldSelector=metadata.name%3D%3Dx,spec.a!%3Db": "watch prefix:api version:v1 resource:pods name:x " +
			"fields:metadata.name==x,spec.a!=b Cluster kube",
		`GET /api/v1/pods?fieldSelector=metadata.name=x\,y`:                `list prefix:api version:v1 resource:pods name:x,y fields:metadata.name=x\,y Cluster kube`,
		"GET /api/v1/pods?fieldSelector=metadata.name!=x":                  "list prefix:api version:v1 resource:pods fields:metadata.name!=x Cluster kube",
		"GET /api/v1/pods?fieldSelector=metadata.name=x,oops":              "list prefix:api version:v1 resource:pods fields:metadata.name=x,oops Cluster kube",
		"GET /api/v1/pods?fieldSelector=metadata.name=a%252Fb":             "list prefix:api version:v1 resource:pods fields:metadata.name=a%2Fb Cluster kube",
		"GET /api/v1/pods?fieldSelector=metadata.name=..":                  "list prefix:api version:v1 resource:pods fields:metadata.name=.. Cluster kube",
		"DELETE /api/v1/pods?fieldSelector=metadata.name=x":                "deletecollection prefix:api version:v1 resource:pods fields:metadata.name=x Cluster kube",
		"GET /kapis/a.io/v1/things?fieldSelector=metadata.name=x":          "list prefix:kapis group:a.io version:v1 resource:things fields:metadata.name=x Cluster",
		"GET /api/v1/pods?fieldSelector=a=b&fieldSelector=metadata.name=x": "list prefix:api version:v1 resource:pods fields:a=b Cluster kube",
	} {
		got, err := parseTarget(t, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if diff := cmp.Diff(want, brief(got)); diff != "" {
			t.Errorf("%s:\n%s", line, diff)
		}
	}
}

// TestWorkspaceWatch: how members of a workspace may watch a list of the whole cluster, and how they may not.
func TestWorkspaceWatch(t *testing.T) {
	const label = "labelSelector=kubesphere.io/workspace"
	for line, want := range map[string]string{
		"GET /api/v1/namespaces?watch=true&" + label + "=ws1":                "Workspace ws1",
		"GET /api/v1/namespaces?" + label + "%3Dws1&watch=1":                 "Workspace ws1",
		"GET /api/v1/namespaces?watch=1&" + label + "%3D%3Dws-1.a,x%21%3Dy":  "Workspace ws-1.a",
		"GET /apis/iam.kubesphere.io/v1alpha2/users?watch=1&" + label + "=w": "Workspace w",

		"GET /api/v1/namespaces?watch=1&" + label + "=":                              "Cluster ", // upstream: Workspace with an empty name
		"GET /api/v1/namespaces?watch=1&" + label + "=,a=b":                          "Cluster ",
		"GET /api/v1/namespaces?watch=1&" + label:                                    "Cluster ",
		"GET /api/v1/namespaces?watch=1&" + label + "!=ws1":                          "Cluster ",
		"GET /api/v1/namespaces?watch=1&" + label + "=ws1+":                          "Cluster ",
		"GET /api/v1/namespaces?watch=1&" + label + "=-":                             "Cluster ",
		"GET /api/v1/namespaces?watch=1&" + label + "s=ws1":                          "Cluster ",
		"GET /api/v1/namespaces?watch=1&labelSelector=a=b,kubesphere.io/workspace=w": "Cluster ",
		"GET /api/v1/namespaces?" + label + "=ws1":                                   "Cluster ", // a list
		"GET /api/v1/watch/namespaces?" + label + "=ws1":                             "Cluster ",
		"DELETE /api/v1/namespaces?watch=1&" + label + "=ws1":                        "Cluster ",
		"GET /api/v1/namespaces/n/pods?watch=1&" + label + "=ws1":                    "Namespace ",
		"GET /kapis/a.io/v1/cluster?watch=1&" + label + "=ws1":                       "Cluster ", // a module may overlook selectors
	} {
		got, err := parseTarget(t, line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if have := got.Scope.String() + " " + got.Workspace; have != want {
			t.Errorf("%s: %q, want %q", line, have, want)
		}
	}
}
