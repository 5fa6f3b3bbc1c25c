// Package types lists the types of identity providers that there are.
package types

import (
	"github.com/posternhq/postern/gateway/idp"
	"github.com/posternhq/postern/gateway/idp/cas"
	"github.com/posternhq/postern/gateway/idp/github"
	"github.com/posternhq/postern/gateway/idp/gitlab"
	"github.com/posternhq/postern/gateway/idp/ldap"
	"github.com/posternhq/postern/gateway/idp/oidc"
)

// All are the types, one a line.
var All = []idp.Type{
	cas.Type,
	github.Type,
	gitlab.Type,
	ldap.Type,
	oidc.Type,
}
