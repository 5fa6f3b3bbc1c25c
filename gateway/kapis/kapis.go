// Package kapis is the stage that has WebAssembly modules answer their API groups: /kapis/<group>/<version>/…
package kapis

import (
	"strings"

	"github.com/posternhq/postern/gateway/exchange"
	"github.com/posternhq/postern/gateway/module"
	"github.com/posternhq/postern/gateway/module/manager"
)

// Stage passes requests of groups that a module serves to that module.
type Stage struct {
	table func() *manager.Table
}

var _ exchange.Stage = (*Stage)(nil)

// New makes the stage; table is what serves now.
func New(table func() *manager.Table) *Stage { return &Stage{table: table} }

// Name is "kapis".
func (*Stage) Name() string { return "kapis" }

// Serve has a module answer, or passes on what no module serves.
func (s *Stage) Serve(x *exchange.Exchange, next exchange.Handler) {
	group, version, ok := route(&x.Info)
	if !ok {
		next(x)
		return
	}
	// A module that is removed between the look and the request may have a successor in the next table.
	for {
		m := s.table().Find(group, version)
		if m == nil {
			x.Handled = ""
			next(x)
			return
		}
		x.Handled = s.Name()
		if m.Serve(x) {
			return
		}
	}
}

// Explain names the module.
func (s *Stage) Explain(x *exchange.Exchange) exchange.Finding {
	group, version, ok := route(&x.Info)
	if !ok {
		return exchange.Finding{Stage: s.Name(), Verdict: exchange.Pass, Reason: "not below /kapis"}
	}
	var gen *module.Generation
	if m := s.table().Find(group, version); m != nil {
		gen = m.Generation()
	}
	if gen == nil {
		return exchange.Finding{Stage: s.Name(), Verdict: exchange.Pass, Reason: "no module serves " + group + "/" + version}
	}
	return exchange.Finding{
		Stage: s.Name(), Verdict: exchange.Answer, Reason: "module " + gen.Manifest().Name,
		Details: map[string]any{"module": gen.Manifest().Name, "version": gen.Manifest().Version, "digest": gen.Digest()},
	}
}

// route is the group and version that a path below /kapis names. The request info has them only for resource requests,
// but a group without versions (a proxy) answers any path.
func route(info *exchange.RequestInfo) (group, version string, ok bool) {
	if info.APIPrefix == "kapis" && info.APIGroup != "" {
		return info.APIGroup, info.APIVersion, true
	}
	rest, ok := strings.CutPrefix(info.Path, "/kapis/")
	if !ok {
		return "", "", false
	}
	if info.Cluster != "" {
		rest = strings.TrimPrefix(rest, "clusters/"+info.Cluster+"/")
	}
	group, rest, _ = strings.Cut(rest, "/")
	version, _, _ = strings.Cut(rest, "/")
	return group, version, group != ""
}
