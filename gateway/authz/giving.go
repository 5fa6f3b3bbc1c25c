package authz

import (
	"strconv"

	"github.com/posternhq/postern/gateway/exchange"
)

// may is a verb on a resource of the group that a request is about.
type may struct{ verb, resource string }

// kind is a resource of a group.
type kind struct{ group, resource string }

// giving are the kinds by which rights are given in Kubernetes' API, and what Kubernetes has one hold to write them without
// holding the rights oneself. kube-apiserver cannot check that: it sees every user with the group that may do everything.
var giving = map[kind][]may{
	{rbacAPI, "roles"}:                  {{"escalate", "roles"}},
	{rbacAPI, "clusterroles"}:           {{"escalate", "clusterroles"}},
	{rbacAPI, "rolebindings"}:           {{"bind", "roles"}, {"bind", "clusterroles"}},
	{rbacAPI, "clusterrolebindings"}:    {{"bind", "clusterroles"}},
	{iamGroup, "globalroles"}:           {{"escalate", "globalroles"}},
	{iamGroup, "globalrolebindings"}:    {{"bind", "globalroles"}},
	{iamGroup, "workspaceroles"}:        {{"escalate", "workspaceroles"}},
	{iamGroup, "workspacerolebindings"}: {{"bind", "workspaceroles"}},
	{iamGroup, "users"}:                 {{"bind", "globalroles"}}, // their groups
	{iamGroup, "groupbindings"}:         {{"bind", "globalroles"}},
	{iamGroup, "federatedroles"}:        {{"escalate", "federatedroles"}},
	{iamGroup, "federatedrolebindings"}: {{"bind", "federatedroles"}},
	{iamGroup, "federatedusers"}:        {{"bind", "globalroles"}},
	{iamGroup, "rolebases"}:             {{"escalate", "rolebases"}},
}

const rbacAPI = "rbac.authorization.k8s.io"

// lacksToGive is what user lacks to write what info writes past the routes that check who gives what: Kubernetes' own API, in
// which a body is not looked into. Empty if nothing is lacking, or nothing is given. Deleting takes away.
func (z *Authorizer) lacksToGive(user *exchange.User, info *exchange.RequestInfo) string {
	if !info.IsKubernetesRequest || !info.IsResourceRequest || info.Subresource != "" {
		return ""
	}
	if info.Verb != "create" && info.Verb != "update" && info.Verb != "patch" {
		return ""
	}
	for _, m := range giving[kind{info.APIGroup, info.Resource}] {
		asked := *info
		asked.Verb, asked.Resource, asked.Name = m.verb, m.resource, ""
		if !z.Authorize(user, &asked).Allowed {
			return " without " + m.verb + " of " + strconv.Quote(m.resource) + " in API group " + strconv.Quote(info.APIGroup) +
				": by this path one could give what one does not have; the routes of /kapis/iam.kubesphere.io look at what is given"
		}
	}
	return ""
}
