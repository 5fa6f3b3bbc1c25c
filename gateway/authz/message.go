package authz

import (
	"strconv"

	"github.com/posternhq/postern/gateway/exchange"
)

// Forbidden is a refusal in the words of kube-apiserver, which kubectl's users know.
func Forbidden(user *exchange.User, info *exchange.RequestInfo) string {
	b := make([]byte, 0, 256)
	if info.IsResourceRequest {
		b = append(b, info.Resource...)
		if info.APIGroup != "" {
			b = append(append(b, '.'), info.APIGroup...)
		}
		if info.Name != "" {
			b = strconv.AppendQuote(append(b, ' '), info.Name)
		}
		b = append(b, " is "...)
	}
	b = append(b, "forbidden: User "...)
	name := ""
	if user != nil {
		name = user.Name
	}
	b = strconv.AppendQuote(b, name)
	b = append(append(append(b, " cannot "...), info.Verb...), ' ')
	if !info.IsResourceRequest {
		return string(strconv.AppendQuote(append(b, "path "...), info.Path))
	}
	resource := info.Resource
	if info.Subresource != "" {
		resource += "/" + info.Subresource
	}
	b = strconv.AppendQuote(append(b, "resource "...), resource)
	b = strconv.AppendQuote(append(b, " in API group "...), info.APIGroup)
	return string(appendPlace(b, info))
}

func appendPlace(b []byte, info *exchange.RequestInfo) []byte {
	switch info.Scope {
	case exchange.ScopeNamespace:
		return strconv.AppendQuote(append(b, " in the namespace "...), info.Namespace)
	case exchange.ScopeDevOps:
		return strconv.AppendQuote(append(b, " in the devops project "...), info.DevOps)
	case exchange.ScopeWorkspace:
		return strconv.AppendQuote(append(b, " in the workspace "...), info.Workspace)
	case exchange.ScopeGlobal:
		return append(b, " at the global scope"...)
	}
	return append(b, " at the cluster scope"...)
}
