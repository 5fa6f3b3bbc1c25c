// Package visible answers lists and watches of all objects of a kind, which the caller may not have as a whole, with the
// part that the caller may see: the objects in the namespaces in which a role allows it, those that a role names, and those
// of the caller's workspaces.
package visible

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/posternhq/postern/gateway/exchange"
)

// name is the stage's name in findings, logs and metrics.
const name = "visible"

// Mode says of which kinds parts are shown.
type Mode string

// The modes.
const (
	Off     Mode = "off"     // of none: 403, as Kubernetes
	Tenancy Mode = "tenancy" // of namespaces, what is labelled with a workspace, and what roles show by postern.dev/visiblelists
	On      Mode = "on"      // of all
)

// Authorizer decides whether a user may do something, and where.
type Authorizer interface {
	Authorize(user *exchange.User, info *exchange.RequestInfo) exchange.Decision
	// Synced is an error as long as decisions may deny too much, because not all roles have been read.
	Synced() error
	// Namespaces and Workspaces are where user may do what info asks, sorted; all: everywhere.
	Namespaces(user *exchange.User, info *exchange.RequestInfo) (names []string, all bool)
	Workspaces(user *exchange.User, info *exchange.RequestInfo) (names []string, all bool)
	// Changed is closed once decisions may be others than those made after the call.
	Changed() <-chan struct{}
}

// Options of the stage.
type Options struct {
	Authorizer Authorizer // required; the one that decides about requests
	// Names are the objects that a user's roles name in rules that could allow what info asks, in any order and more than
	// once. Required.
	Names func(user *exchange.User, info *exchange.RequestInfo) []string
	// Workspace is the workspace that the namespace belongs to, for all that the Authorizer knows; "" for none. Required.
	Workspace func(namespace string) string
	// Upstream sends an exchange on to kube-apiserver, in the name of its user, and answers it. Required.
	Upstream exchange.Handler
	// Strict says that kube-apiserver decides again by the user's own groups: what is not put together from lists that the
	// user may have is refused by it.
	Strict bool
	Mode   Mode // empty: Tenancy
	// Shared is what stages that follow each other share. Required.
	Shared *Shared
	// Around, unless nil, does what comes before an answer that a later stage would give, and calls answer.
	Around func(x *exchange.Exchange, answer exchange.Handler)
}

// Shared is what outlives a stage: what kube-apiserver serves, since when callers' rights are what they are, and counts.
type Shared struct {
	kinds   kinds
	eras    eras
	metrics *metrics
}

// NewShared makes it; its metrics are registered with r, unless that is nil.
func NewShared(r prometheus.Registerer) *Shared {
	s := &Shared{kinds: kinds{all: map[string]*served{}}, eras: eras{all: map[string]era{}}}
	if r != nil {
		s.metrics = newMetrics(r)
	}
	return s
}

// Stage answers partly permitted lists and watches, and passes everything else on.
type Stage struct {
	o Options
	*Shared
}

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage.
func New(o Options) *Stage {
	if o.Mode == "" {
		o.Mode = Tenancy
	}
	if o.Around == nil {
		o.Around = func(x *exchange.Exchange, answer exchange.Handler) { answer(x) }
	}
	return &Stage{o, o.Shared}
}

// Name is "visible".
func (*Stage) Name() string { return name }

// wide says whether x lists or watches a Kubernetes resource as a whole. It allocates nothing: every request is asked.
func wide(x *exchange.Exchange) bool {
	i := &x.Info
	return i.IsKubernetesRequest && i.IsResourceRequest && i.Namespace == "" && i.Subresource == "" &&
		(i.Verb == "list" || i.Verb == "watch") && x.HTTP.Request.Header.IsGet() && strings.HasSuffix(i.Path, i.Resource)
}

// Serve answers x with what the caller may see of it, or passes it on: what may be listed as a whole, and that of which
// nothing may be seen, so that authorization refuses it.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	if s.o.Mode == Off || !wide(x) || s.o.Authorizer.Authorize(x.User, &x.Info).Allowed || !s.may(x) {
		next(x)
		return
	}
	changed, toWatch := s.o.Authorizer.Changed(), uint64(0) // before the rights are read: a change meanwhile must be seen
	if x.Info.Verb == "list" {
		info := x.Info
		info.Verb = "watch"
		watched := s.rightsOf(x.User, &info)
		toWatch = watched.hash()
	}
	r := s.rightsOf(x.User, &x.Info)
	if r.none(true) && r.none(false) {
		next(x)
		return
	}
	c := callerOf(x)
	in := false
	if !r.isSpaces {
		var known bool
		if in, known = s.namespaced(x.Context(), &c); !known {
			next(x)
			return
		}
	}
	if r.none(in) {
		next(x)
		return
	}
	v := &view{stage: s, caller: c, rights: r, namespaced: in, changed: changed, toWatch: toWatch}
	if s.o.Strict && v.wholeWatch() {
		next(x)
		return
	}
	x.Decision = exchange.Decision{Allowed: true, Reason: v.reason()}
	s.o.Around(x, v.serve)
}

// may says whether a part may be shown at all: to somebody, and not before all roles have been read, since what is missing
// in a list looks deleted.
func (s *Stage) may(x *exchange.Exchange) bool {
	return x.User != nil && !slices.Contains(x.User.Groups, unauthenticated) && s.o.Authorizer.Synced() == nil
}

// Explain says what of a list would be shown. Whether the resource is in namespaces is kube-apiserver's to say, which is not
// asked here.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	f := exchange.Finding{Stage: name, Verdict: exchange.Pass, Reason: "not a list or watch of all objects of a Kubernetes kind"}
	switch {
	case s.o.Mode == Off:
		f.Reason = "postern.visibleLists is off"
	case !wide(x):
	case x.User == nil:
		f.Reason = "cannot say what is visible without a user"
	case s.o.Authorizer.Authorize(x.User, &x.Info).Allowed:
		f.Reason = "the user may have the whole list"
	case !s.may(x):
		f.Reason = "nothing is shown to requests without credentials, or before all roles have been read"
	default:
		s.explain(x, &f)
	}
	return f
}

func (s *Stage) explain(x *exchange.Exchange, f *exchange.Finding) {
	r := s.rightsOf(x.User, &x.Info)
	if r.none(true) && r.none(false) {
		f.Reason = "the user may see nothing of it"
		if len(r.namespaces) == 0 && !r.every {
			f.Reason += ": of other kinds than namespaces and those of workspaces, parts are shown with postern.visibleLists on, or to roles that may use visiblelists.postern.dev"
		}
		return
	}
	f.Verdict, f.Reason = exchange.Answer, "answers with the part that the user may see"
	f.Details = map[string]any{}
	for key, list := range map[string][]string{"namespaces": r.namespaces, "names": r.names, "workspaces": r.workspaces} {
		if n := len(list); n > 0 {
			f.Details[key] = list[:min(n, maxExplained)]
			f.Reason += fmt.Sprintf("; %s: %d", key, n)
		}
	}
}

// maxExplained bounds the names in an explanation.
const maxExplained = 20
