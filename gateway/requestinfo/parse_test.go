package requestinfo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/posternhq/postern/gateway/exchange"
)

// parseTarget parses "METHOD target" with fresh buffers.
func parseTarget(t testing.TB, line string) (exchange.RequestInfo, error) {
	t.Helper()
	method, target, _ := strings.Cut(line, " ")
	path, query, _ := strings.Cut(target, "?")
	info, _, err := Parse([]byte(method), []byte(path), []byte(query), nil)
	return info, err
}

// brief is an info in one line: verb, then what is not empty.
func brief(i exchange.RequestInfo) string {
	s := i.Verb
	for _, f := range []struct{ key, value string }{
		{"prefix", i.APIPrefix},
		{"group", i.APIGroup},
		{"version", i.APIVersion},
		{"cluster", i.Cluster},
		{"workspace", i.Workspace},
		{"namespace", i.Namespace},
		{"devops", i.DevOps},
		{"resource", i.Resource},
		{"name", i.Name},
		{"sub", i.Subresource},
		{"labels", i.LabelSelector},
		{"fields", i.FieldSelector},
	} {
		if f.value != "" {
			s += " " + f.key + ":" + f.value
		}
	}
	s += " " + i.Scope.String()
	if !i.IsResourceRequest {
		s += " path"
	}
	if i.IsKubernetesRequest {
		s += " kube"
	}
	return s
}

func TestParse(t *testing.T) {
	for line, want := range map[string]string{
		// no resource
		"GET /":                        "get Cluster path",
		"GET /healthz":                 "get Cluster path",
		"GET /version":                 "get Cluster path",
		"POST /oauth/token":            "post Cluster path",
		"HEAD /oauth/a/b/c/d/e":        "head Cluster path",
		"OPTIONS /a":                   "options Cluster path",
		"PropFind /a":                  "propfind Cluster path",
		"GET /api":                     "get Cluster path kube",
		"GET /api/":                    "get Cluster path kube",
		"GET /api/v1":                  "get Cluster path kube",
		"GET /apis":                    "get Cluster path kube",
		"GET /apis/apps":               "get Cluster path kube",
		"GET /apis/apps/v1":            "get prefix:apis Cluster path kube",
		"GET /kapis":                   "get Cluster path",
		"GET /kapis/version":           "get Cluster path",
		"GET /kapis/a.io/v1":           "get prefix:kapis Cluster path",
		"GET /apiss/v1/pods":           "get Cluster path",
		"GET /API/v1/pods":             "get Cluster path",
		"GET /clusters/c1/api/v1/pods": "get Cluster path",

		// the four prefixes
		"GET /api/v1/pods":               "list prefix:api version:v1 resource:pods Cluster kube",
		"GET /apis/apps/v1/deployments/": "list prefix:apis group:apps version:v1 resource:deployments Cluster kube",
		"GET /kapis/a.io/v1/things/x":    "get prefix:kapis group:a.io version:v1 resource:things name:x Cluster",
		"GET /kapi/v1/things/x":          "get prefix:kapi version:v1 resource:things name:x Cluster",

		// verbs
		"HEAD /api/v1/nodes/n":                  "get prefix:api version:v1 resource:nodes name:n Cluster kube",
		"POST /api/v1/nodes":                    "create prefix:api version:v1 resource:nodes Cluster kube",
		"PUT /api/v1/nodes/n":                   "update prefix:api version:v1 resource:nodes name:n Cluster kube",
		"PATCH /api/v1/nodes/n":                 "patch prefix:api version:v1 resource:nodes name:n Cluster kube",
		"DELETE /api/v1/nodes/n":                "delete prefix:api version:v1 resource:nodes name:n Cluster kube",
		"DELETE /api/v1/nodes":                  "deletecollection prefix:api version:v1 resource:nodes Cluster kube",
		"OPTIONS /api/v1/nodes":                 " prefix:api version:v1 resource:nodes Cluster kube",
		"get /api/v1/nodes":                     " prefix:api version:v1 resource:nodes Cluster kube",
		"GET /api/v1/watch/pods":                "watch prefix:api version:v1 resource:pods Cluster kube",
		"GET /api/v1/watch/namespaces/n/pods/p": "watch prefix:api version:v1 namespace:n resource:pods name:p Namespace kube",
		"GET /api/v1/proxy/nodes/n/stats":       "proxy prefix:api version:v1 resource:nodes name:n Cluster kube",
		"GET /kapis/a.io/v1/watch/things":       "watch prefix:kapis group:a.io version:v1 resource:things Cluster",

		// clusters: upstream panics on /api/clusters/c1/v1 and takes /api/clusters/c1 for resource c1 in version clusters
		"GET /api/clusters/c1":           "get prefix:api cluster:c1 Cluster path kube",
		"GET /api/clusters/c1/":          "get prefix:api cluster:c1 Cluster path kube",
		"GET /api/clusters/c1/v1":        "get prefix:api cluster:c1 Cluster path kube",
		"GET /kapi/clusters/c1/v1":       "get prefix:kapi cluster:c1 Cluster path",
		"GET /apis/clusters/c1":          "get prefix:apis cluster:c1 Cluster path kube",
		"GET /apis/clusters/c1/apps/v1":  "get prefix:apis cluster:c1 Cluster path kube",
		"GET /kapis/clusters/c1/version": "get prefix:kapis cluster:c1 Cluster path",
		"GET /api/clusters":              "get Cluster path kube",
		"GET /api/clusters/c1/v1/pods":   "list prefix:api version:v1 cluster:c1 resource:pods Cluster kube",
		"GET /apis/clusters/c1/apps/v1/namespaces/n/deployments/d/scale": "get prefix:apis group:apps version:v1 cluster:c1 " +
			"namespace:n resource:deployments name:d sub:scale Namespace kube",
		"GET /kapis/clusters/c1/a.io/v1/clusters/c2": "get prefix:kapis group:a.io version:v1 cluster:c1 resource:clusters name:c2 Cluster",

		// namespaces
		"GET /api/v1/namespaces":                           "list prefix:api version:v1 resource:namespaces Cluster kube",
		"GET /api/v1/namespaces/n":                         "get prefix:api version:v1 namespace:n resource:namespaces name:n Namespace kube",
		"PUT /api/v1/namespaces/n/finalize":                "update prefix:api version:v1 namespace:n resource:namespaces name:n sub:finalize Namespace kube",
		"GET /api/v1/namespaces/n/status":                  "get prefix:api version:v1 namespace:n resource:namespaces name:n sub:status Namespace kube",
		"GET /api/v1/namespaces/n/pods":                    "list prefix:api version:v1 namespace:n resource:pods Namespace kube",
		"GET /api/v1/namespaces/n/pods/p/log":              "get prefix:api version:v1 namespace:n resource:pods name:p sub:log Namespace kube",
		"POST /api/v1/namespaces/n/pods/p/exec?command=sh": "create prefix:api version:v1 namespace:n resource:pods name:p sub:exec Namespace kube",

		// workspaces and devops, of the platform's API
		"GET /kapis/a.io/v1/workspaces":                       "list prefix:kapis group:a.io version:v1 resource:workspaces Cluster",
		"GET /kapis/a.io/v1/workspaces/w":                     "get prefix:kapis group:a.io version:v1 workspace:w resource:workspaces name:w Workspace",
		"GET /kapis/a.io/v1/workspaces/w/members":             "list prefix:kapis group:a.io version:v1 workspace:w resource:members Workspace",
		"GET /kapis/a.io/v1/workspaces/w/namespaces":          "list prefix:kapis group:a.io version:v1 workspace:w resource:namespaces Workspace",
		"GET /kapis/a.io/v1/workspaces/w/namespaces/n":        "get prefix:kapis group:a.io version:v1 workspace:w namespace:n resource:namespaces name:n Namespace",
		"GET /kapis/a.io/v1/workspaces/w/namespaces/n/pods/p": "get prefix:kapis group:a.io version:v1 workspace:w namespace:n resource:pods name:p Namespace",
		"GET /kapis/a.io/v1/workspaces/w/devops/d/members":    "list prefix:kapis group:a.io version:v1 workspace:w devops:d resource:members DevOps",
		"GET /kapis/a.io/v1/devops/d":                         "get prefix:kapis group:a.io version:v1 devops:d resource:devops name:d DevOps",
		"GET /kapis/a.io/v1/devops/d/pipelines/p/runs":        "get prefix:kapis group:a.io version:v1 devops:d resource:pipelines name:p sub:runs DevOps",
		"GET /kapis/a.io/v1/namespaces/n/devops/d":            "get prefix:kapis group:a.io version:v1 namespace:n resource:devops name:d Namespace",
		"GET /kapis/clusters/c/a.io/v1/watch/workspaces/w/namespaces/n/pods/p/log": "watch prefix:kapis group:a.io version:v1 cluster:c " +
			"workspace:w namespace:n resource:pods name:p sub:log Namespace",
		// … but not of Kubernetes' own, where upstream makes resource "status" in workspace w of the second
		"GET /apis/tenant.kubesphere.io/v1alpha1/workspaces/w":        "get prefix:apis group:tenant.kubesphere.io version:v1alpha1 workspace:w resource:workspaces name:w Global kube",
		"PUT /apis/tenant.kubesphere.io/v1alpha1/workspaces/w/status": "update prefix:apis group:tenant.kubesphere.io version:v1alpha1 workspace:w resource:workspaces name:w sub:status Global kube",
		"GET /apis/other.io/v1/workspaces/w/status":                   "get prefix:apis group:other.io version:v1 resource:workspaces name:w sub:status Cluster kube",
		"GET /apis/other.io/v1/devops/d/status":                       "get prefix:apis group:other.io version:v1 resource:devops name:d sub:status Cluster kube",

		// the global list
		"GET /kapis/iam.kubesphere.io/v1alpha2/users/admin/globalroles":   "get prefix:kapis group:iam.kubesphere.io version:v1alpha2 resource:users name:admin sub:globalroles Global",
		"GET /apis/iam.kubesphere.io/v1alpha2/globalrolebindings":         "list prefix:apis group:iam.kubesphere.io version:v1alpha2 resource:globalrolebindings Global kube",
		"GET /kapis/iam.kubesphere.io/v1alpha2/workspaces/w/users":        "list prefix:kapis group:iam.kubesphere.io version:v1alpha2 workspace:w resource:users Global",
		"GET /kapis/iam.kubesphere.io/v1alpha2/clustermembers":            "list prefix:kapis group:iam.kubesphere.io version:v1alpha2 resource:clustermembers Cluster",
		"GET /kapis/tenant.kubesphere.io/v1alpha2/workspaces/w":           "get prefix:kapis group:tenant.kubesphere.io version:v1alpha2 workspace:w resource:workspaces name:w Global",
		"GET /kapis/tenant.kubesphere.io/v1alpha2/clusters":               "list prefix:kapis group:tenant.kubesphere.io version:v1alpha2 resource:clusters Global",
		"GET /kapis/cluster.kubesphere.io/v1alpha1/clusters/c":            "get prefix:kapis group:cluster.kubesphere.io version:v1alpha1 resource:clusters name:c Global",
		"GET /kapis/resources.kubesphere.io/v1alpha3/clusters":            "list prefix:kapis group:resources.kubesphere.io version:v1alpha3 resource:clusters Global",
		"GET /kapis/notification.kubesphere.io/v2beta1/configs":           "list prefix:kapis group:notification.kubesphere.io version:v2beta1 resource:configs Global",
		"GET /kapis/notification.kubesphere.io/v2beta2/silences/s":        "get prefix:kapis group:notification.kubesphere.io version:v2beta2 resource:silences name:s Global",
		"GET /kapis/notification.kubesphere.io/v2beta2/users/u/receivers": "get prefix:kapis group:notification.kubesphere.io version:v2beta2 resource:users name:u sub:receivers Cluster",
		"GET /api/v1/users": "list prefix:api version:v1 resource:users Cluster kube",

		// one decoding, everywhere; no special meaning of ; : \ + and of a second round of escapes
		"GET /%61pi/v1/p%6fds/%C3%A9":                              "get prefix:api version:v1 resource:pods name:é Cluster kube",
		"GET /api/v1/pods/é":                                       "get prefix:api version:v1 resource:pods name:é Cluster kube",
		`GET /api/v1/pods/a\..\b`:                                  `get prefix:api version:v1 resource:pods name:a\..\b Cluster kube`,
		"GET /api/v1/pods/a%252Fb":                                 "get prefix:api version:v1 resource:pods name:a%2Fb Cluster kube",
		"GET /api/v1/pods/a;x=1+2%23":                              "get prefix:api version:v1 resource:pods name:a;x=1+2# Cluster kube",
		"GET /api/v1/pods/...":                                     "get prefix:api version:v1 resource:pods name:... Cluster kube",
		"GET /api/v1/pods/.a":                                      "get prefix:api version:v1 resource:pods name:.a Cluster kube",
		"GET /api/v1/namespaces/n/services/https:y:443/proxy":      "get prefix:api version:v1 namespace:n resource:services name:https:y:443 sub:proxy Namespace kube",
		"PUT /api/v1/namespaces/n/services/y/proxy//a//b%2Fc/?d=e": "update prefix:api version:v1 namespace:n resource:services name:y sub:proxy Namespace kube",
		"GET /api/v1/nodes/n/proxy//":                              "get prefix:api version:v1 resource:nodes name:n sub:proxy Cluster kube",
		"GET /api/clusters/c/v1/nodes/n/proxy//x":                  "get prefix:api version:v1 cluster:c resource:nodes name:n sub:proxy Cluster kube",
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

func TestRefused(t *testing.T) {
	long := "/api/v1/pods/" + strings.Repeat("a", MaxPath)
	for line, want := range map[string]error{
		"GET ":                                         errForm,
		"OPTIONS *":                                    errForm,
		"GET http://h/api":                             errForm,
		"CONNECT h:443":                                errForm,
		"GET " + long:                                  errLong,
		"GET /api\x00":                                 errControl,
		"GET /api/v1/pods/a%00b":                       errControl,
		"GET /a%0d%0aX:%20y":                           errControl,
		"GET /a%7f":                                    errControl,
		"GET /api/v1/pods?a=\x01":                      errControl,
		"GET /api#x":                                   errLiteral,
		"GET /api/v1/pods/a b":                         errLiteral,
		"GET /api?x y":                                 errLiteral,
		"GET /api?x#y":                                 errLiteral,
		"GET /api/v1/pods/%":                           errEscape,
		"GET /api/v1/pods/%4":                          errEscape,
		"GET /api/v1/pods/%g0":                         errEscape,
		"GET /api/v1/pods/%0g":                         errEscape,
		"GET /api/v1/pods/%u0041":                      errEscape,
		"GET /api/v1/pods/%ff":                         errUTF8,
		"GET /api/v1/pods/\xc3(":                       errUTF8,
		"GET /a%C0%AF":                                 errUTF8, // overlong slash
		"GET /.":                                       errDots,
		"GET /..":                                      errDots,
		"GET /a/./b":                                   errDots,
		"GET /api/v1/namespaces/a/../b/secrets":        errDots,
		"GET /api/v1/namespaces/a/%2e%2E/b":            errDots,
		"GET /api/v1/namespaces/a/.%2e/b":              errDots,
		"GET /api/v1/namespaces/a/..%2fb":              errDots,
		"GET /api/v1/nodes/n/proxy/../pods":            errDots,
		"GET /api/v1/nodes/n/proxy/a%2f..%2f..":        errDots,
		"GET //":                                       errEmpty,
		"GET //api/v1/pods":                            errEmpty,
		"GET /api/v1/namespaces//pods":                 errEmpty,
		"GET /api/v1/pods//":                           errEmpty,
		"GET /oauth//token":                            errEmpty,
		"GET /api/v1//nodes/n/proxy/a":                 errEmpty,
		"GET /api/v1/nodes//proxy/a":                   errEmpty,
		"GET /api/v1/nodes/n//proxy/a":                 errEmpty,
		"GET /api/v1/nodes/n/log//a":                   errEmpty,
		"GET /api/v1/proxy/nodes/n//a":                 errEmpty,
		"GET /kapis/a.io/v1/nodes/n/proxy//a":          errEmpty, // modules have no such remainder
		"GET /api%2Fv1/pods":                           errSlash,
		"GET /api/v1/namespaces/a%2fpods":              errSlash,
		"GET /api/v1/nodes/n%2Fproxy/a":                errSlash,
		"GET /api/v1/nodes/n/proxy%2Fa":                errSlash,
		"GET /oauth%2ftoken":                           errSlash,
		"GET /api/v1/pods%2f":                          errSlash,
		"GET /kapis/kubeedge.kubesphere.io/api%2Fv1/n": errSlash,
		"GET /api/v1/watch":                            errVerbAlone,
		"GET /api/v1/proxy/":                           errVerbAlone,
		"GET /api/clusters/c1/v1/watch":                errVerbAlone,
		"GET /kapis/a.io/v1/watch":                     errVerbAlone,
		"GET /api/v1/pods?labelSelector=%ff":           errSelector,
		"GET /api/v1/pods?a" + strings.Repeat("&a", maxParams): errParams,
	} {
		info, err := parseTarget(t, line)
		if err != want {
			t.Errorf("%.60q: error %v, want %v", line, err, want)
		}
		info.Verb = ""
		if info != (exchange.RequestInfo{}) {
			t.Errorf("%.60q: info %+v with an error", line, info)
		}
	}
}

func TestLongestPath(t *testing.T) {
	line := "GET /api/v1/pods/" + strings.Repeat("a", MaxPath-len("/api/v1/pods/"))
	info, err := parseTarget(t, line)
	if err != nil || len(info.Path) != MaxPath || len(info.Name) != MaxPath-len("/api/v1/pods/") {
		t.Errorf("path of %d bytes, name of %d: %v", len(info.Path), len(info.Name), err)
	}
	deep := "/" + strings.Repeat("a/", MaxPath/2-1)
	if info, err = parseTarget(t, "GET "+deep); err != nil || info.Path != deep {
		t.Errorf("path of many segments: %d bytes, %v", len(info.Path), err)
	}
}
