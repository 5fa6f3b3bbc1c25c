// Package authz decides whether a user may do what a request asks: open paths, then the roles that the user has on the
// platform, in the workspace, in the namespace and in the cluster.
package authz

import (
	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/status"
)

// name is the stage's name in findings, logs and metrics.
const name = "authz"

// Options of the stage.
type Options struct {
	Authorizer *Authorizer // required
	Metrics    *Metrics    // nil: not counted
}

// Stage answers 403 to what the Authorizer denies, and passes the rest on with x.Decision filled.
type Stage struct{ o Options }

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage { return &Stage{o} }

// Name is "authz".
func (*Stage) Name() string { return name }

// Serve decides and passes on or refuses.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	x.Decision = s.o.Authorizer.Authorize(x.User, &x.Info)
	if x.Decision.Allowed {
		if lacks := s.o.Authorizer.lacksToGive(x.User, &x.Info); lacks != "" {
			x.Decision = exchange.Decision{Reason: lacks}
		}
	}
	s.o.Metrics.count(x.Decision.Allowed)
	if !x.Decision.Allowed {
		s.refuse(x)
		return
	}
	next(x)
}

// refuse answers 403. While roles are still being read it says so; why that takes long, with addresses and the like, is
// for the log and not for the client.
func (s *Stage) refuse(x *exchange.Exchange) {
	x.Handled = name
	message, err := s.message(x), s.o.Authorizer.Synced()
	if err == nil {
		status.Write(x, status.Forbidden, message)
		return
	}
	status.Write(x, status.Forbidden, message+": not all roles have been read yet")
	x.Reason = message + ": " + err.Error()
}

// message is what 403 says.
func (s *Stage) message(x *exchange.Exchange) string {
	text := Forbidden(x.User, &x.Info)
	if s.o.Authorizer.Authorize(x.User, &x.Info).Allowed {
		text += s.o.Authorizer.lacksToGive(x.User, &x.Info)
	}
	return text
}

// Explain says which binding of which role allows x, or what 403 would say.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: name, Verdict: exchange.Pass, Details: s.details(x)}
	d := s.o.Authorizer.Authorize(x.User, &x.Info)
	switch {
	case d.Allowed && s.o.Authorizer.lacksToGive(x.User, &x.Info) != "":
		f.Verdict, f.Code, f.Reason = exchange.Refuse, status.Forbidden.Code(), s.message(x)
	case d.Allowed:
		f.Reason = d.Why(x.User)
	case d.Reason == reasonNoUser:
		f.Reason = "cannot decide without a user"
	default:
		f.Verdict, f.Code, f.Reason = exchange.Refuse, status.Forbidden.Code(), Forbidden(x.User, &x.Info)
		s.o.Authorizer.deny(x.User, &x.Info).tell(f.Details)
		if err := s.o.Authorizer.Synced(); err != nil {
			f.Reason += ": " + err.Error()
		}
	}
	return f
}

func (s *Stage) details(x *exchange.Exchange) map[string]any {
	mode := s.o.Authorizer.mode
	if mode == "" {
		mode = RBAC
	}
	d := map[string]any{"mode": mode, "scope": x.Info.Scope.String()}
	if ns := x.Info.Namespace; ns != "" {
		d["workspaceOfNamespace"] = s.o.Authorizer.index().Workspace(ns)
	}
	if x.User != nil {
		d["user"], d["groups"] = x.User.Name, x.User.Groups
	}
	return d
}
