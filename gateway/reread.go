package gateway

import (
	"github.com/posternhq/postern/gateway/authn"
	"github.com/posternhq/postern/gateway/authz"
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/requestinfo"
	"github.com/posternhq/postern/gateway/status"
)

// reread is filter.Env.Reread: what a filter has made of a request is read as if the client had sent it. What stands
// behind decides about that. Authentication, which may stand in front, has let nobody in particular pass for the path
// alone, so its decision is made again.
func (g *Gateway) reread(x *exchange.Exchange) bool {
	if err := requestinfo.Fill(x); err != nil {
		status.Write(x, status.BadRequest, err.Error())
		return false
	}
	nobody := x.User != nil && x.User.Method == authn.Anonymous
	if nobody && !g.current.Load().config.Postern.Anonymous.Allow && !authz.Open(x.Info.Path) {
		status.Write(x, status.Unauthorized, "Unauthorized")
		return false
	}
	return true
}
