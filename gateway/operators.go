package gateway

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/posternhq/postern/config"
	"github.com/posternhq/postern/gateway/admin"
	"github.com/posternhq/postern/gateway/module/manager"
)

// adminOptions are what the admin listener shows, and who may change what.
func (g *Gateway) adminOptions(c *config.Config) (admin.Options, error) {
	o := admin.Options{
		Gatherer: g.registry, Live: g.live, Ready: g.readiness,
		Modules: g.long.modules,
		Config:  func() any { return g.current.Load().config },
		Routes:  func() any { return g.routes() },
		Address: c.Postern.Admin.Address,
	}
	if o.Address == "" {
		return o, nil
	}
	configured := c.Postern.Admin.TokenFile
	path := cmp.Or(configured, admin.DefaultTokenFile(), filepath.Join(c.Postern.Modules.Dir, ".postern", "admin.token"))
	token, err := admin.Token(path)
	if err != nil {
		if configured != "" {
			return o, fmt.Errorf("cannot use postern.admin.tokenFile: %w", err)
		}
		g.log.Warn().Err(err).Msg("the admin listener changes nothing: set postern.admin.tokenFile")
	}
	o.Token = token
	return o, nil
}

// routing is one line of /routes: what is below Path is answered By.
type routing struct {
	Path   string `json:"path"`
	By     string `json:"by"`               // kubeproxy, a module, core
	Module string `json:"module,omitempty"` // to operate on it by
	Name   string `json:"name,omitempty"`   // in the module's manifest
	Digest string `json:"digest,omitempty"`
}

// routes are who answers what, in the order in which they are asked.
func (g *Gateway) routes() []routing {
	all := []routing{{Path: "/api", By: "kubeproxy"}, {Path: "/apis", By: "kubeproxy"}}
	for _, m := range g.long.modules.Status() {
		for _, route := range m.Serves {
			all = append(all, routing{"/kapis/" + route, "module", m.Module, m.Name, m.Digest})
		}
	}
	return append(all, routing{Path: "/", By: "core"})
}

// rollouts are how new versions of modules take over, by the configuration that serves.
func (g *Gateway) rollouts(name string) *manager.Rollout {
	current := g.current.Load()
	if current == nil {
		return nil
	}
	r := current.config.ModuleFor(name).Rollout
	if !r.On() {
		return nil
	}
	return manager.RolloutOf(r)
}
