// Package service is what a module's host calls reach: Kubernetes, Prometheus, plain HTTP. Each service is a folder. A
// service checks the module's grants on every call, whatever was linked, and builds its requests from a call's fields
// by escaping them, never by formatting.
package service

import (
	"context"
	"fmt"
	"slices"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/hostabi"
)

// Call is one host call of a guest.
type Call struct {
	// Module is the name of the calling module.
	Module string
	// Grants is what the module may reach.
	Grants *Grants
	// Caller is the user whose request the guest is serving.
	Caller *exchange.User
	// RequestID is the id of that request; it goes on to the backend as X-Request-Id.
	RequestID string
	// Record holds the arguments; it has been validated, and is the callee's to keep.
	Record hostabi.Record
	// Body is what TagBodyHandle named, if it was there; read-only. Only and Except are those of TagOnly and TagExcept.
	Body, Only, Except []byte
	// Address is where the request came from, as an IP; UserAgent is the client's word. Calls of postern.accounts have them.
	Address, UserAgent string
	// MaxBytes bounds the answer's body.
	MaxBytes int64
}

// Result is how a call ended.
type Result struct {
	Code   hostabi.Code
	Status int    // the backend's HTTP status, 0 if none
	Body   []byte // the answer, owned by the receiver
	// Err says in words what went wrong, for last_error and the log. Empty when Code is OK.
	Err string
}

// Service answers calls.
type Service interface {
	// Do blocks until the call has ended, at the latest when ctx has; ctx carries the deadline and the client's leaving.
	// It is called from many goroutines.
	Do(ctx context.Context, call *Call) Result
}

// Failf is a result with a code and a text.
func Failf(code hostabi.Code, format string, args ...any) Result {
	return Result{Code: code, Err: fmt.Sprintf(format, args...)}
}

// Grants is what the configuration lets a module reach. They bound it in both roles: as itself it may do what is
// granted; as the caller it may do what is granted and the caller is authorized for.
type Grants struct {
	Kube       []KubeGrant
	Prometheus bool
	Access     bool     // may ask what users may do
	Accounts   bool     // may check and hash passwords, and end sessions
	HTTP       []string // names of backends
	// Hosts outside that may be called, as names: api.example.com, *.example.com, either with a port.
	Hosts []string
	// PrivateHosts also allows them to have addresses of private networks and of this machine.
	PrivateHosts bool
}

// KubeGrant is a rule like one of Kubernetes' RBAC; "*" matches all.
type KubeGrant struct {
	Groups    []string // "" is core
	Resources []string // plural, or plural/subresource
	Verbs     []string
	// Namespaces bounds the rule; empty is every namespace and cluster-scoped objects.
	Namespaces []string
}

// CoversKube says whether some one grant covers all of the wanted groups, resources and verbs in every namespace asked
// later; namespaces narrow at the call.
func (g *Grants) CoversKube(groups, resources, verbs []string) bool {
	for _, grant := range g.Kube {
		if covers(grant.Groups, groups) && covers(grant.Resources, resources) && covers(grant.Verbs, verbs) {
			return true
		}
	}
	return false
}

func covers(granted, wanted []string) bool {
	if slices.Contains(granted, "*") {
		return true
	}
	for _, w := range wanted {
		if !slices.Contains(granted, w) {
			return false
		}
	}
	return true
}
