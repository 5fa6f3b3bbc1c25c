package authz_test

import (
	"testing"

	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
)

// TestNobodyReadsOthers: without any role users see themselves and change their own password, and nobody else's
// (CVE-2024-46528: upstream showed others').
func TestNobodyReadsOthers(t *testing.T) {
	z := authz.NewAuthorizer(authz.RBAC, nil)
	bob := &exchange.User{Name: "bob", Groups: []string{"system:authenticated"}}
	base := exchange.RequestInfo{
		IsResourceRequest: true, APIPrefix: "kapis", APIGroup: "iam.kubesphere.io", APIVersion: "v1alpha2", Resource: "users", Name: "bob",
		Verb: "get", Scope: exchange.ScopeGlobal,
	}
	for name, c := range map[string]struct {
		change func(*exchange.RequestInfo)
		want   bool
	}{
		"oneself":                 {func(*exchange.RequestInfo) {}, true},
		"one's logins":            {func(i *exchange.RequestInfo) { i.Subresource = "loginrecords" }, true},
		"one's roles":             {func(i *exchange.RequestInfo) { i.Subresource = "globalroles" }, true},
		"one's password":          {func(i *exchange.RequestInfo) { i.Verb, i.Subresource = "update", "password" }, true},
		"another":                 {func(i *exchange.RequestInfo) { i.Name = "alice" }, false},
		"another's logins":        {func(i *exchange.RequestInfo) { i.Name, i.Subresource = "alice", "loginrecords" }, false},
		"another's password":      {func(i *exchange.RequestInfo) { i.Name, i.Verb, i.Subresource = "alice", "update", "password" }, false},
		"everybody":               {func(i *exchange.RequestInfo) { i.Name, i.Verb = "", "list" }, false},
		"changing oneself":        {func(i *exchange.RequestInfo) { i.Verb = "update" }, false},
		"deleting oneself":        {func(i *exchange.RequestInfo) { i.Verb = "delete" }, false},
		"the object behind":       {func(i *exchange.RequestInfo) { i.APIPrefix, i.IsKubernetesRequest = "apis", true }, false},
		"a user of another group": {func(i *exchange.RequestInfo) { i.APIGroup = "user.openshift.io" }, false},
	} {
		info := base
		c.change(&info)
		if d := z.Authorize(bob, &info); d.Allowed != c.want {
			t.Errorf("%s: %+v", name, d)
		}
	}
	info := base
	info.Name = ""
	if z.Authorize(&exchange.User{}, &info).Allowed {
		t.Error("who has no name is let in")
	}
}
