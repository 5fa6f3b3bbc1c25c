package module

import (
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// declared answers what the manifest's routes leave out, as a guest would: 404, or 405 with Allow. It says whether the
// guest is to be asked.
func (g *Generation) declared(x *exchange.Exchange) bool {
	// Of requests that are no resource requests the path alone says the group.
	path := uncluster(x.Info.Path, x.Info.Cluster)
	group, _, _ := strings.Cut(strings.TrimPrefix(path, "/kapis/"), "/")
	ok, allow := g.Manifest().Match(group, string(x.HTTP.Method()), behindGroup(path))
	switch {
	case ok:
		return true
	case len(allow) > 0:
		x.HTTP.Response.Header.Set("Allow", strings.Join(allow, ", "))
		status.Write(x, status.MethodNotAllowed, "the server does not allow this method on the requested resource")
	default:
		status.Write(x, status.NotFound, "the server could not find the requested resource")
	}
	return false
}
