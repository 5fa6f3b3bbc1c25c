package authz

import "github.com/posternhq/postern/gateway/exchange"

// iamGroup is the API group whose users are the gateway's own.
const iamGroup = "iam.kubesphere.io"

const reasonOwn = "users may see themselves and change their own password"

// own says whether a user asks for what concerns nobody else: who they are, their logins, their roles of the platform, or a
// change of their own password, for which the group wants the present one. Upstream needs a role for each user to say so.
// It holds for the group below /kapis alone: the objects behind, which kube-apiserver has, show more.
func own(user *exchange.User, info *exchange.RequestInfo) bool {
	if info.Resource != "users" || info.Name != user.Name || info.Name == "" || info.APIGroup != iamGroup || info.APIPrefix != "kapis" {
		return false
	}
	switch info.Subresource {
	case "", "loginrecords", "globalroles":
		return info.Verb == "get"
	case "password":
		return info.Verb == "update"
	}
	return false
}
