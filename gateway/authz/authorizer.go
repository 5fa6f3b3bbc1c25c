package authz

import (
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
)

// Modes of an Authorizer, as in kubesphere.yaml.
const (
	RBAC        = "RBAC"        // the open paths, then roles; the default
	AlwaysAllow = "AlwaysAllow" // everything, by everybody
	AlwaysDeny  = "AlwaysDeny"  // nothing, the open paths included
)

// Source has the current index.
type Source interface {
	// Index is nil before any role or binding has been read.
	Index() *Index
	// Changed is closed once Index is another than after the call; nil where that never happens.
	Changed() <-chan struct{}
	// Synced is an error that names what has not been read yet. Until it is nil, decisions may deny too much, never allow.
	Synced() error
}

// Authorizer decides whether a user may do something. It is safe for concurrent use; stages and modules that act for a
// user share one.
type Authorizer struct {
	mode   string
	source Source
}

// NewAuthorizer makes an authorizer of one of the modes; empty is RBAC. Without a source it knows no roles.
func NewAuthorizer(mode string, source Source) *Authorizer {
	return &Authorizer{mode: mode, source: source}
}

const (
	reasonAlwaysAllow = "mode AlwaysAllow"
	reasonAlwaysDeny  = "mode AlwaysDeny"
	reasonOpen        = "path is open to everybody"
	reasonNoUser      = "no user"
	reasonNoRole      = "RBAC: no role of the user allows it"
)

// Authorize decides. It takes no lock, allocates nothing and calls nobody. Neither user nor info is kept.
func (z *Authorizer) Authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision {
	switch z.mode {
	case AlwaysAllow:
		return exchange.Decision{Allowed: true, Reason: reasonAlwaysAllow}
	case AlwaysDeny:
		return exchange.Decision{Reason: reasonAlwaysDeny}
	}
	if Open(info.Path) {
		return exchange.Decision{Allowed: true, Reason: reasonOpen}
	}
	if user == nil {
		return exchange.Decision{Reason: reasonNoUser}
	}
	if b := z.index().allow(user, info); b != nil {
		return exchange.Decision{Allowed: true, Grant: b}
	}
	if own(user, info) {
		return exchange.Decision{Allowed: true, Reason: reasonOwn}
	}
	return exchange.Decision{Reason: reasonNoRole}
}

func (z *Authorizer) index() *Index {
	if z.source == nil {
		return nil
	}
	return z.source.Index()
}

// Synced is an error that says what a denial may be due to; nil when every role and binding has been read. It has
// addresses and the like in it, which are not for clients.
func (z *Authorizer) Synced() error {
	if z.mode != RBAC && z.mode != "" || z.source == nil {
		return nil
	}
	return z.source.Synced()
}

// Open says whether everybody may ask for path: what comes before a login (its pages, the platform's configuration and
// version) and the probes. Metrics are not among them: they are on the admin listener. A path with dot segments, which
// some server may resolve, is never open.
func Open(path string) bool {
	switch path {
	case "/kapis/version", "/healthz", "/livez", "/readyz", "/.well-known/openid-configuration":
		return true
	}
	if strings.HasPrefix(path, "/oauth/") || strings.HasPrefix(path, "/kapis/config.kubesphere.io/") {
		return !hasDots(path)
	}
	return false
}

// hasDots says whether a segment of path is `.` or `..`.
func hasDots(path string) bool {
	return strings.Contains(path, "/./") || strings.Contains(path, "/../") || strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..")
}
