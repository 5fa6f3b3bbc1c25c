package exchange

import "strings"

// Scope is the level of the platform that a request is about, and thereby which bindings may allow it.
type Scope uint8

// The five scopes.
const (
	ScopeCluster Scope = iota
	ScopeGlobal
	ScopeWorkspace
	ScopeNamespace
	ScopeDevOps
)

var scopeNames = [...]string{"Cluster", "Global", "Workspace", "Namespace", "DevOps"}

// String is one of Global, Cluster, Workspace, Namespace, DevOps.
func (s Scope) String() string { return scopeNames[s] }

// MarshalText makes a scope its name in JSON.
func (s Scope) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// RequestInfo is what a request's method, path and query say. Its strings alias the exchange's buffers, so they are
// valid until the exchange ends; Clone makes them last.
type RequestInfo struct {
	// Path is the decoded path, `clusters/{c}` included.
	Path              string `json:"path"`
	Verb              string `json:"verb"`
	APIPrefix         string `json:"apiPrefix"`
	APIGroup          string `json:"apiGroup"`
	APIVersion        string `json:"apiVersion"`
	Cluster           string `json:"cluster"`
	Workspace         string `json:"workspace"`
	Namespace         string `json:"namespace"`
	DevOps            string `json:"devops"`
	Resource          string `json:"resource"`
	Subresource       string `json:"subresource"`
	Name              string `json:"name"`
	LabelSelector     string `json:"labelSelector,omitempty"`
	FieldSelector     string `json:"fieldSelector,omitempty"`
	Scope             Scope  `json:"scope"`
	IsResourceRequest bool   `json:"isResourceRequest"`
	// IsKubernetesRequest is true for the prefixes api and apis: what kube-apiserver answers.
	IsKubernetesRequest bool `json:"isKubernetesRequest"`
}

// Clone is info with strings of its own.
func (info RequestInfo) Clone() RequestInfo {
	for _, s := range []*string{
		&info.Path, &info.Verb, &info.APIPrefix, &info.APIGroup, &info.APIVersion, &info.Cluster, &info.Workspace,
		&info.Namespace, &info.DevOps, &info.Resource, &info.Subresource, &info.Name, &info.LabelSelector, &info.FieldSelector,
	} {
		*s = strings.Clone(*s)
	}
	return info
}

// LongRunning says whether the request lasts as long as the client wants: watches, log streams, exec and the like.
// They have no deadline and do not count as requests in flight. Only Kubernetes has them: a module's requests all end.
func (info *RequestInfo) LongRunning() bool {
	if !info.IsResourceRequest || !info.IsKubernetesRequest {
		return false
	}
	switch info.Verb {
	case "watch", "proxy":
		return true
	}
	switch info.Subresource {
	case "attach", "exec", "log", "portforward", "proxy":
		return true
	}
	return false
}
