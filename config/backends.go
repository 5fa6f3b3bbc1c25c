package config

import (
	"maps"
	"slices"
	"time"
)

// sectionTimeout is the timeout of the backends that have only a URL.
const sectionTimeout = 30 * time.Second

// HTTPBackends returns every backend that a module may be granted, by name:
// postern.backends, and the endpoints of the sections kubeedge, edgeruntime
// and notification under those names, when they are set. The caller owns it.
func (c *Config) HTTPBackends() map[string]Backend {
	all := maps.Clone(c.Postern.Backends)
	if all == nil {
		all = map[string]Backend{}
	}
	for i, endpoint := range []string{c.KubeEdge.Endpoint, c.EdgeRuntime.Endpoint, c.Notification.Endpoint} {
		if endpoint != "" {
			all[sectionBackends[i]] = Backend{URL: endpoint, Timeout: sectionTimeout}
		}
	}
	return all
}

// ModuleFor returns what the named module may do: its entry in
// postern.modules.perModule, or the default limits and no grants.
func (c *Config) ModuleFor(name string) Module {
	if m, ok := c.Postern.Modules.PerModule[name]; ok {
		return m
	}
	return Module{Limits: c.Postern.Modules.Defaults}
}

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
