package exchange

import "testing"

func TestScopeOf(t *testing.T) {
	for _, c := range []struct {
		info RequestInfo
		want Scope
	}{
		{RequestInfo{}, ScopeCluster},
		{RequestInfo{Resource: "nodes"}, ScopeCluster},
		{RequestInfo{Resource: "pods", Namespace: "n", Workspace: "w"}, ScopeNamespace},
		{RequestInfo{Resource: "pipelines", DevOps: "d", Workspace: "w"}, ScopeDevOps},
		{RequestInfo{APIGroup: "tenant.kubesphere.io", Resource: "namespaces", Workspace: "w"}, ScopeWorkspace},
		{RequestInfo{APIGroup: "tenant.kubesphere.io", Resource: "workspaces", Workspace: "w"}, ScopeGlobal},
		{RequestInfo{APIGroup: "iam.kubesphere.io", Resource: "users", Namespace: "n"}, ScopeGlobal},
		{RequestInfo{APIGroup: "example.io", Resource: "users"}, ScopeCluster},
		{RequestInfo{APIGroup: "notification.kubesphere.io", Resource: "silences"}, ScopeGlobal},
		{RequestInfo{APIGroup: "notification.kubesphere.io", Resource: "others", Scope: ScopeGlobal}, ScopeCluster},
	} {
		if got := ScopeOf(&c.info); got != c.want {
			t.Errorf("%+v: %s, want %s", c.info, got, c.want)
		}
	}
}
